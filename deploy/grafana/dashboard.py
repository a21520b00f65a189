"""The dashboard as data: rows of panels, and what of Grafana's JSON they stand for. deploy/generate writes the JSON."""

# What the variables at the top choose. "All" is .*, which also matches a label that is absent: listeners of plain
# hosts have neither namespace nor pod.
OF = 'instance=~"$instance",namespace=~"$namespace",pod=~"$pod"'
ON_NODE = 'instance=~"$instance"'
AGENT = "and on (job, instance) acceptq_build_info"
WHO = "{{instance}} {{namespace}} {{pod}} {{container}} {{process}} {{address}}:{{port}}"
SPACE = "{{instance}} {{namespace}} {{pod}} {{netns}}"

VARIABLES = [
    ("instance", "Node", "label_values(acceptq_build_info, instance)"),
    ("namespace", "Namespace", f"label_values(acceptq_listener_observed{{{ON_NODE}}}, namespace)"),
    ("pod", "Pod", f'label_values(acceptq_listener_observed{{{ON_NODE},namespace=~"$namespace"}}, pod)'),
]

# Of each panel: what it is, its title, width (of 24), unit, queries with their legends, and what it says about itself.
ROWS = [
    ("All nodes", [
        ("stat", "Listeners that lose connections", 6, "short",
         [(f"sum(instance:acceptq_losing_listeners:count{{{ON_NODE}}}) or vector(0)", "")],
         "At least five packets of handshakes met a full accept queue within five minutes."),
        ("stat", "Refused packets", 6, "pps",
         [(f"sum(instance:acceptq_refused_packets:rate5m{{{ON_NODE}}})", "")],
         "Of handshakes. One attempt to connect that is refused makes several."),
        ("stat", "Accepted connections", 6, "cps",
         [(f"sum(instance:acceptq_accepted:rate5m{{{ON_NODE}}})", "")],
         "Of agents that trace handshakes."),
        ("stat", "Agents", 6, "short", [(f"count(acceptq_build_info{{{ON_NODE}}})", "")],
         "Compare it with the number of your nodes."),
        ("timeseries", "Refused packets by node", 12, "pps",
         [(f"topk(10, instance:acceptq_refused_packets:rate5m{{{ON_NODE}}})", "{{instance}}")], ""),
        ("timeseries", "Fullest queue by node", 12, "percentunit",
         [(f"topk(10, instance:acceptq_accept_queue_fill_ratio:max{{{ON_NODE}}})", "{{instance}}")],
         "100 % is full: a queue holds one connection more than its limit."),
        ("timeseries", "Refused packets by pod", 12, "pps",
         [('topk(10, namespace_pod:acceptq_refused_packets:rate5m{namespace=~"$namespace",pod=~"$pod"} > 0)',
           "{{namespace}} {{pod}}")], "Only pods that refuse."),
        ("timeseries", "Fullest queue by pod", 12, "percentunit",
         [('topk(10, namespace_pod:acceptq_accept_queue_fill_ratio:max{namespace=~"$namespace",pod=~"$pod"})',
           "{{namespace}} {{pod}}")], ""),
    ]),
    ("Listeners that lose connections", [
        ("table", "Losing connections, in the last 5 minutes", 24, "short",
         [(f"sort_desc(listener:acceptq_overflow_packets:increase5m{{{OF}}})", "")],
         "Packets that met a full accept queue. `acceptq check` on that node says why."),
        ("timeseries", "Refused packets, by stage and reason", 12, "pps",
         [(f"sum by (stage, reason) (rate(acceptq_listener_refused_packets_total{{{OF}}}[$__rate_interval]))",
           "{{stage}} {{reason}}")],
         "unknown: only counters of the network namespace tell."),
        ("timeseries", "Share of attempts that were refused", 12, "percentunit",
         [(f"listener:acceptq_refused_attempts:ratio_rate5m{{{OF}}}", WHO)],
         "Only of listeners that refuse, and where handshakes are traced."),
    ]),
    ("Queues", [
        ("timeseries", "Accept queue: length and limit", 24, "short",
         [(f"topk(10, acceptq_listener_accept_queue_longest{{{OF}}})", WHO + " longest"),
          (f"acceptq_listener_accept_queue_limit{{{OF}}} and topk(10, acceptq_listener_accept_queue_longest{{{OF}}})",
           WHO + " limit")],
         "Most connections that waited within a minute, of the ten longest queues."),
        ("table", "Limits, and who set them", 24, "short",
         [(f"topk(50, acceptq_listener_accept_queue_limit{{{OF}}} * on (job, instance, namespace, pod, container, netns, "
           "address, port, process) group_left (set_by) acceptq_listener_limit_info)", "")],
         "somaxconn: of the listener's own network namespace."),
    ]),
    ("Time until accept()", [
        ("heatmap", "How long connections waited", 12, "s",
         [(f"sum by (le) (increase(acceptq_listener_wait_seconds_bucket{{{OF}}}[$__rate_interval]))", "{{le}}")],
         "Where handshakes are traced."),
        ("timeseries", "Quantiles", 12, "s",
         [(f"histogram_quantile({quantile}, sum by (le) "
           f"(rate(acceptq_listener_wait_seconds_bucket{{{OF}}}[$__rate_interval])))", name)
          for quantile, name in ((0.5, "half"), (0.9, "9 of 10"), (0.99, "99 of 100"))],
         "Of all listeners that are chosen."),
        ("timeseries", "Estimated wait of one that comes now", 12, "s",
         [(f"topk(10, acceptq_listener_estimated_wait_seconds{{{OF}}})", WHO)], ""),
        ("timeseries", "Why accept() is slow", 12, "percentunit",
         [(f"acceptq_listener_cause_share{{{OF}}}", WHO + " {{cause}}")],
         "Shares of the time of the threads that accept, while a listener is in trouble."),
    ]),
    ("SYN queues", [
        ("timeseries", "Handshakes under way", 12, "short",
         [(f"topk(10, acceptq_listener_syn_queue_length{{{OF}}})", WHO)], ""),
        ("timeseries", "SYN cookies", 12, "pps",
         [(f"sum by (instance) (rate(acceptq_netns_syncookies_{name}_total{{{OF}}}[$__rate_interval]))",
           "{{instance}} " + name) for name in ("sent", "received", "failed")],
         "Real clients answer nearly all of them, a flood almost none."),
        ("timeseries", "SYN queue full", 12, "pps",
         [(f"sum by (instance) (rate(acceptq_netns_syn_queue_full_drops_total{{{OF}}}[$__rate_interval]))",
           "{{instance}} refused"),
          (f"sum by (instance) (rate(acceptq_netns_syn_queue_full_cookies_total{{{OF}}}[$__rate_interval]))",
           "{{instance}} answered with a cookie")], ""),
        ("timeseries", "The kernel's own counters", 12, "pps",
         [(f"topk(10, rate(acceptq_netns_listen_overflows_total{{{OF}}}[$__rate_interval]))", SPACE + " ListenOverflows"),
          (f"topk(10, rate(acceptq_netns_listen_drops_total{{{OF}}}[$__rate_interval]))", SPACE + " ListenDrops")],
         "Drops that are no overflows have other reasons than a full accept queue."),
    ]),
    ("Agents", [
        ("timeseries", "What is not seen", 12, "short",
         [(f'acceptq_blind_spots{{{ON_NODE},unobserved="true"}} > 0', "{{instance}} {{id}}"),
          (f"acceptq_listeners_unexported{{{ON_NODE}}} > 0", "{{instance}} listeners without a series")],
         "Nothing is better than something. `acceptq explain AQ…` tells more."),
        ("timeseries", "Time of a scan", 12, "s",
         [(f"acceptq_scan_duration_seconds{{{ON_NODE}}}", "{{instance}}")], ""),
        ("timeseries", "Scans", 12, "ops",
         [(f"rate(acceptq_scans_total{{{ON_NODE}}}[$__rate_interval])", "{{instance}}"),
          (f"rate(acceptq_scan_failures_total{{{ON_NODE}}}[$__rate_interval])", "{{instance}} failed")], ""),
        ("timeseries", "Series of listeners", 12, "short",
         [(f"acceptq_listeners_exported{{{ON_NODE}}} / acceptq_listeners_exported_limit", "{{instance}}")],
         "Of as many as there may be."),
        ("timeseries", "Cores used", 12, "short",
         [(f"rate(process_cpu_seconds_total{{{ON_NODE}}}[$__rate_interval]) {AGENT}", "{{instance}}")], ""),
        ("timeseries", "Resident memory", 12, "bytes",
         [(f"process_resident_memory_bytes{{{ON_NODE}}} {AGENT}", "{{instance}}")], ""),
    ]),
]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS = {"stat": 4, "row": 1}


def target(kind, number, query, legend):
    made = {"datasource": SOURCE, "expr": query, "legendFormat": legend or "__auto", "refId": chr(ord("A") + number)}
    if kind == "table":
        return {**made, "format": "table", "instant": True, "range": False}
    if kind == "heatmap":
        return {**made, "format": "heatmap", "range": True}
    return {**made, "range": True}


def panel(kind, title, unit, queries, description):
    made = {
        "type": kind, "title": title, "description": description, "datasource": SOURCE,
        "targets": [target(kind, number, *query) for number, query in enumerate(queries)],
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
    }
    if kind == "timeseries":
        made["fieldConfig"]["defaults"].update({"min": 0, "custom": {"fillOpacity": 5, "showPoints": "never"}})
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    elif kind == "table":
        hidden = {name: True for name in ("Time", "__name__", "job")}
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    elif kind == "heatmap":
        made["options"] = {"calculate": False, "yAxis": {"unit": unit}, "color": {"mode": "scheme", "scheme": "Oranges"}}
    elif kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none"}
    return made


def placed(rows):
    """All panels, each with its place on a grid 24 wide."""
    number, y = 0, 0
    for name, panels in rows:
        number += 1
        yield {"type": "row", "title": name, "id": number, "collapsed": False, "panels": [],
               "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}}
        y += 1
        x = height = 0
        for kind, title, width, *rest in panels:
            if x + width > 24:
                x, y = 0, y + height
            height = HEIGHTS.get(kind, 8)
            number += 1
            yield {**panel(kind, title, *rest), "id": number, "gridPos": {"h": height, "w": width, "x": x, "y": y}}
            x += width
        y += height


def variable(name, label, query):
    return {"type": "query", "name": name, "label": label, "datasource": SOURCE, "definition": query,
            "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
            "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def dashboard():
    return {
        "title": "acceptq", "uid": "acceptq", "tags": ["acceptq"], "schemaVersion": 38, "version": 1,
        "editable": True, "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "browser",
        "templating": {"list": [
            {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
            *(variable(*each) for each in VARIABLES)]},
        "annotations": {"list": [{
            "name": "Losing connections", "datasource": SOURCE, "enable": True, "iconColor": "red",
            "expr": f'ALERTS{{alertname="AcceptqLosingConnections",alertstate="firing",{OF}}}',
            "titleFormat": "{{process}} {{address}}:{{port}}", "tagKeys": "instance,namespace,pod"}]},
        "panels": list(placed(ROWS)),
    }
