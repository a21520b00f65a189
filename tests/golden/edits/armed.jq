# What an armed watch with tracing adds to seed-why.json: when the first packet was refused, the
# queue before and after, and the ledger.
(.before.monotonic_ns) as $begin
| ("tcp:4026532567:0.0.0.0:80#bae1") as $key
| .tracing = "functions"
| .incident = {at_ns: ($begin + 800000000), waited_seconds: 25200}
| .timeline[$key] = [range(80) | {at_ns: ($begin + . * 25000000),
    length: (if . < 12 then 0 elif . < 32 then ((. - 12) * 6) else 129 end)}]
| .ledgers = [{
    netns: 4026532567, address: "0.0.0.0", port: 80, ifindex: 0, cookie: "bae1", source: "functions",
    since_ns: $begin, closed_at_ns: null,
    counts: {syn_received: 514, syn_duplicate: 11, syn_queued: 134, syn_refused_accept_full: 380,
      synack_sent: 134, synack_retransmitted: 32, ack_queued: 102, ack_refused_full: 32,
      request_expired: 3, request_reset: 2, accepted: 102, attempts_refused: 190, attempts_recovered: 40},
    longest: 129, syn_longest: 32, length_at_arrival: [{below: 256, count: 102}],
    delay_s: [{below: 2, count: 30}, {below: 4, count: 10}],
    time_in_queue_ns: [{below: 2147483648, count: 60}, {below: 4294967296, count: 42}],
    listen: {backlog_requested: 511, somaxconn: 128, limit: 128},
    clients: [{address: "10.0.0.3", prefix_bits: 32, packets: 300, attempts: 140, route: null},
      {address: "2001:db8::7", prefix_bits: 128, packets: 112, attempts: 50, route: null}],
    prefixes: [], addresses: 2, gave_up: 20, syn_unanswered: null}]
