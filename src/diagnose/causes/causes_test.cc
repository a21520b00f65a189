// Where accepting threads were, and the cause that follows; and the nearest facts that do not make
// it.
#include <gtest/gtest.h>

#include <optional>

#include "diagnose/causes/causes_test_support.h"
#include "diagnose/causes/wait_class.h"

namespace acceptq::diagnose {
namespace {

TEST(Causes, FuseByDescriptorWithItsDaemon) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, in_fuse(), 0.97));
  observation.accept_evidence.fuse = {{.device = 48, .mountpoint = "/other"},
                                      {.device = 49,
                                       .mountpoint = "/mnt/a",
                                       .daemon = Pid(812),
                                       .daemon_comm = "slowfs",
                                       .daemon_state = "T"}};
  const Report report = report_of(observation);
  const Finding* finding = find(report, "AQ310");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->cause->kind, CauseKind::kIoFuse);
  EXPECT_NEAR(*finding->cause->share, 0.97, 0.001);
  EXPECT_TRUE(says(finding,
                   "nginx waits for a FUSE file system (/mnt/a, served by slowfs pid 812, which is "
                   "stopped): 97 % of 2.0 s."));
  EXPECT_EQ(finding->severity, find(report, "AQ101")->severity);
  EXPECT_GE(finding->confidence, 0.9);
  // A call that opens a file has no descriptor: one mount is the answer, of two the one that owes.
  observation.accept_evidence.acceptors.begin()->second.threads[0].waits[0].target.reset();
  EXPECT_FALSE(says(find(report_of(observation), "AQ310"), "/mnt/a"));
  observation.accept_evidence.fuse[1].waiting = 1;
  EXPECT_TRUE(says(find(report_of(observation), "AQ310"), "/mnt/a"));
}

// Neither the kernel's functions nor the descriptor alone is needed.
TEST(Causes, FuseByEitherSign) {
  Wait by_stack = in_fuse();
  by_stack.target.reset();
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, by_stack, 0.9))), Kinds{"io.fuse"});
  Wait by_file = in_fuse();
  by_file.stack = {"folio_wait_bit_common", "filemap_read"};
  by_file.state = "D";
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, by_file, 0.9))), Kinds{"io.fuse"});
  // The file is on FUSE, but the thread waits for nothing of it.
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kOwner,
                              in_call("S", "futex", {"futex_wait_queue"}), 1))),
            Kinds{"lock"});
  // It is the daemon of a file system itself, and waits for requests.
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kOwner,
                              in_call("S", "read", {"fuse_dev_do_read"}), 1))),
            Kinds{"unknown"});
}

// A page that comes by sendfile() or a page fault may be of any file system.
TEST(Causes, AreUnknownWhereAPageIsOfNoKnownFile) {
  Wait wait = in_call("D", "sendfile", {"folio_wait_bit_common", "filemap_splice_read"});
  wait.target = facts::FileTarget{.type = "sockfs", .device = 8};
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, wait, 1))), Kinds{"unknown"});
  wait.stack.emplace_back("ext4_file_splice_read");
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, wait, 1))), Kinds{"io.block"});
}

TEST(Causes, NfsNamesItsServer) {
  Wait wait = in_call("D", "openat", {"rpc_wait_bit_killable", "nfs4_do_open"});
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, wait, 0.9))), Kinds{"io.nfs"});
  wait.target = facts::FileTarget{.type = "nfs4", .source = "10.0.0.9:/data"};
  const Report report = report_of(full(thread(3985, 3985, AcceptLink::kEpoll, wait, 0.9)));
  EXPECT_TRUE(says(find(report, "AQ310"), "nginx waits for NFS (10.0.0.9:/data): 90 % of 2.0 s"));
  EXPECT_EQ(find(report, "AQ310")->cause->detail.at("server"), "10.0.0.9");
}

TEST(Causes, NfsByItsOnlyMountWithItsTimes) {
  const Wait wait = in_call("D", "openat", {"rpc_wait_bit_killable", "nfs4_do_open"});
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, wait, 0.9));
  observation.accept_evidence.nfs = {{.source = "10.0.0.9:/data",
                                      .mountpoint = "/srv",
                                      .operations = 20,
                                      .round_trip_ms = 2360,
                                      .execute_ms = 2400}};
  EXPECT_TRUE(says(find(report_of(observation), "AQ310"),
                   "nginx waits for NFS (10.0.0.9:/data): 90 % of 2.0 s. An operation took 120 ms, "
                   "118 of them until the server answered."));
  observation.accept_evidence.nfs[0].operations = 0;
  EXPECT_TRUE(says(find(report_of(observation), "AQ310"), "None of its operations ended"));
  observation.accept_evidence.nfs.push_back({.source = "10.0.0.8:/b", .mountpoint = "/b"});
  EXPECT_TRUE(says(find(report_of(observation), "AQ310"), "nginx waits for NFS: 90 %"));
}

// Half of the workers compute, on half of a core each; the others wait for a server.
TEST(Causes, WhatIsTooLittleToBeNamedIsKnownAllTheSame) {
  Wait reads = in_call("S", "recvfrom");
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->peer = facts::IpAddress::parse("10.0.0.9");
  ThreadWatch computes = thread(3985, 3985, AcceptLink::kAccept, running(), 1);
  computes.times = {.user_ns = kSecond, .system_ns = 0, .delay_ns = kSecond, .voluntary = 4};
  const ThreadWatch waits = thread(3985, 3986, AcceptLink::kAccept, reads, 0.96);
  EXPECT_EQ(kinds(full({computes, waits})), Kinds{"upstream"});
}

TEST(Causes, UnknownNamesWhoTraces) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, at_lock(true), 0.9));
  EXPECT_FALSE(says(find(report_of(observation), "AQ314"), "It is traced"));
  observation.accept_evidence.processes[0].tracer = Pid(77);
  EXPECT_TRUE(says(find(report_of(observation), "AQ314"), "It is traced by pid 77"));
}

TEST(Causes, APeerThatIsNotThereIsNotSlow) {
  Wait wait = in_call("S", "connect");
  wait.target = facts::FileTarget{.type = "sockfs"};
  wait.target->peer = facts::IpAddress::parse("10.0.0.9");
  wait.target->peer_port = 5432;
  const Report report = report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95)));
  EXPECT_TRUE(says(find(report, "AQ307"), "waits for a connection to 10.0.0.9:5432"));
  EXPECT_EQ(find(report, "AQ307")->cause->detail.at("waits_for"), "connection");
}

// It looks up who its client is.
TEST(Causes, AnswersOfANameServer) {
  Wait wait = reads_from_peer();
  wait.target->peer_port = 53;
  const Report report = report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95)));
  EXPECT_TRUE(says(find(report, "AQ307"), "waits for an answer of 10.0.0.9:53, a name server"));
  EXPECT_EQ(find(report, "AQ307")->cause->detail.at("waits_for"), "name");
  // musl does not connect its socket.
  wait.target = facts::FileTarget{.type = "sockfs", .protocol = "udp"};
  EXPECT_TRUE(
      says(find(report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95))), "AQ307"),
           "waits for an answer by UDP, a name server's perhaps"));
}

// It is late each time that its timer wakes it, by less than anybody else could use.
TEST(Causes, WhoNapsThousandsOfTimesIsNotStarved) {
  ThreadWatch naps = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
  naps.times.delay_ns = 900'000'000;
  naps.times.voluntary = 20'000;
  EXPECT_EQ(kinds(full(naps)), Kinds{"unknown"});
  naps.times.voluntary = 200;
  EXPECT_EQ(kinds(full(naps)), Kinds{"cpu.starved"});
}

TEST(Causes, ThrottledIsNotStarved) {
  ThreadWatch waiting = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
  waiting.times.user_ns = 100'000'000;
  waiting.times.delay_ns = 1'800'000'000;
  Observation observation = full(waiting);
  EXPECT_EQ(kinds(observation), Kinds{"cpu.starved"});
  observation.accept_evidence.processes = {{.pid = Pid(3985),
                                            .cpu_groups = {{.path = "/pod1/c",
                                                            .quota_us = 100'000,
                                                            .period_us = 100'000,
                                                            .periods = 20,
                                                            .throttled = 0,
                                                            .throttled_ns = 0},
                                                           {.path = "/pod1",
                                                            .quota_us = 5000,
                                                            .period_us = 100'000,
                                                            .periods = 20,
                                                            .throttled = 19,
                                                            .throttled_ns = 1'750'000'000}},
                                            .cpu_groups_seen = true}};
  EXPECT_EQ(kinds(observation), Kinds{"cpu.throttled"});
  EXPECT_TRUE(says(find(report_of(observation), "AQ302"),
                   "its control group /pod1 has used up its CPU quota, 5 ms of each 100 ms"));
  // A thread that was dequeued while it was throttled has no run delay.
  auto& times = observation.accept_evidence.acceptors.begin()->second.threads[0].times;
  times.delay_ns = 0;
  EXPECT_EQ(kinds(observation), Kinds{"cpu.throttled"});
  // One moment of throttling among much starvation explains nothing.
  times.delay_ns = 1'800'000'000;
  observation.accept_evidence.processes[0].cpu_groups[1].throttled_ns = 10'000'000;
  EXPECT_EQ(kinds(observation), Kinds{"cpu.starved"});
  // A group with a quota may be there, and could not be looked at.
  for (const std::optional<bool> seen : {std::optional(false), std::optional<bool>()}) {
    observation.accept_evidence.processes[0].cpu_groups_seen = seen;
    EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  }
}

TEST(Causes, BusyByItsOwnTimes) {
  ThreadWatch busy = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
  busy.times.user_ns = 1'900'000'000;
  EXPECT_EQ(kinds(full(busy)), Kinds{"cpu.busy"});
  // Without times nothing tells a busy thread from one that waits for a core.
  busy.times = {};
  EXPECT_EQ(kinds(full(busy)), Kinds{"unknown"});
}

// A wait for a connection between this server, at its port, and a peer.
Wait on_socket(const char* call, std::uint16_t local_port, std::uint16_t peer_port) {
  Wait wait = in_call("S", call);
  wait.target = facts::FileTarget{.type = "sockfs"};
  wait.target->local = facts::IpAddress::parse("10.0.0.1");
  wait.target->local_port = local_port;
  wait.target->peer = facts::IpAddress::parse("10.0.0.3");
  wait.target->peer_port = peer_port;
  return wait;
}

// What keeps it off a core is not known without any of three.
TEST(Causes, BusyIsNotWhyWhereMoreOfTheTimeItMayHaveStarved) {
  ThreadWatch thread_of = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
  thread_of.times.user_ns = 900'000'000;
  thread_of.times.delay_ns = 1'100'000'000;
  EXPECT_EQ(kinds(full(thread_of)), (Kinds{"cpu.starved", "cpu.busy"}));
  ThreadWatch without = thread_of;
  without.times.delay_ns.reset();
  EXPECT_EQ(kinds(full(without)), Kinds{"unknown"});
  without = thread_of;
  without.times.voluntary.reset();
  EXPECT_EQ(kinds(full(without)), Kinds{"unknown"});
  Observation observation = full(thread_of);
  observation.accept_evidence.processes[0].cpu_groups_seen = false;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// Ready, or on a core: of the larger part it is not known.
TEST(Causes, WhatIsNeitherWaitedForNorMeasuredIsNotExplained) {
  ThreadWatch computes = thread(3985, 3985, AcceptLink::kEpoll, running(), 1);
  computes.times.user_ns.reset();
  computes.times.delay_ns = 900'000'000;
  EXPECT_EQ(kinds(full(computes)), Kinds{"unknown"});
  computes.times.delay_ns = 1'300'000'000;
  EXPECT_EQ(kinds(full(computes)), Kinds{"cpu.starved"});
}

TEST(Causes, WhoIsAtTheOtherEnd) {
  Wait wait = on_socket("recvfrom", 80, 4242);
  const ThreadWatch one = thread(3985, 3985, AcceptLink::kAccept, wait, 0.95);
  EXPECT_TRUE(says(find(report_of(full(one)), "AQ307"),
                   "nginx waits for one client at a time (now 10.0.0.3:4242): 95 %"));
  const ThreadWatch other = thread(3985, 3986, AcceptLink::kAccept, wait, 0.95);
  EXPECT_TRUE(says(find(report_of(full({one, other})), "AQ307"),
                   "nginx waits for clients, one in each of 2 threads that accept"));
  wait.target->local_port = 51234;
  wait.target->peer_port = 3306;
  const Report report = report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95)));
  EXPECT_TRUE(says(find(report, "AQ307"), "nginx waits for an answer of 10.0.0.3:3306: 95 %"));
  EXPECT_EQ(find(report, "AQ307")->cause->kind, CauseKind::kUpstream);
}

TEST(Causes, AnEventLoopThatWaitsForAnotherServerAlone) {
  const Wait wait = on_socket("epoll_wait", 51234, 9090);
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kOwner, wait, 1))), Kinds{"upstream"});
}

// Of a ring that does not hold the listener nothing tells what is in it.
TEST(Causes, ARingMayHoldAnything) {
  const Wait wait = in_call("S", "io_uring_enter", {"io_cqring_wait"});
  Observation observation = full(thread(3985, 3985, AcceptLink::kOwner, wait, 1));
  observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// An event that is missed as a thread leaves its core makes all that follows time on it.
TEST(Causes, TimeOnACoreThatNothingElseConfirms) {
  ThreadWatch master = thread(3985, 3985, AcceptLink::kOwner, in_call("S", "select"), 1);
  master.times.user_ns = 0;
  master.times.system_ns = 0;
  master.exact = facts::ExactTime{.counted_ns = 1'300'000'000, .on_core_ns = 680'000'000};
  EXPECT_NE(kinds(full(master)), Kinds{"cpu.busy"});
}

TEST(Causes, WhatIsWrittenIntoHasNoReader) {
  const auto why = [](const char* call, std::vector<std::string> stack) {
    const Wait wait = in_call("S", call, std::move(stack));
    const Report report = report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95)));
    const Finding* finding = find(report, "AQ306");
    return finding != nullptr ? finding->explanation : "no AQ306";
  };
  EXPECT_TRUE(why("openat", {"wait_for_partner", "fifo_open"})
                  .starts_with("nginx waits for the other end of a FIFO to be opened: 95 %"));
  EXPECT_TRUE(why("write", {"wait_woken", "n_tty_write", "file_tty_write.isra.0"})
                  .starts_with("nginx waits for room in a terminal: 95 %"));
}

// A server that sends has to wait for a client that does not read.
TEST(Causes, AFullPipeHasAReader) {
  Wait writes = in_call("S", "write", {"anon_pipe_write", "vfs_write"});
  writes.fd = 1;
  writes.target = facts::FileTarget{.type = "pipefs", .inode = 7};
  Observation observation = full(thread(3985, 3985, AcceptLink::kAccept, writes, 0.97));
  auto& readers = observation.accept_evidence.pipe_readers;
  readers = {{.inode = 7, .pid = Pid(28907), .comm = "cat", .state = "T"},
             {.inode = 8, .pid = Pid(1), .comm = "other", .state = "S"}};
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ306"),
                   "a full pipe (descriptor 1), whose reader cat (pid 28907) is stopped: 97 %"));
  EXPECT_EQ(find(report, "AQ306")->cause->detail.at("reader_pid"), "28907");
  readers[0].state = "S";
  EXPECT_TRUE(says(find(report_of(observation), "AQ306"), "cat (pid 28907) does not keep up"));
  readers[1].inode = 7;
  EXPECT_TRUE(says(find(report_of(observation), "AQ306"),
                   "which cat (pid 28907) and 1 more have open to read: 97 %"));
  // The server keeps the end that it gave to another program.
  readers[1].pid = observation.after.listeners[0].owners[0].pid;
  EXPECT_TRUE(says(find(report_of(observation), "AQ306"), "cat (pid 28907) does not keep up"));
}

TEST(Causes, AClientThatDoesNotRead) {
  const Wait wait = on_socket("sendfile", 80, 4242);
  const Report report = report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95)));
  EXPECT_TRUE(says(find(report, "AQ307"), "does not read what it is sent"));
}

TEST(Causes, ASocketOfWhichNothingIsKnownIsNobodys) {
  Wait wait = in_call("S", "recvfrom");
  wait.target = facts::FileTarget{.type = "sockfs", .inode = 7, .path = "socket:[7]"};
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95))), Kinds{"unknown"});
  // No connection of TCP: another server's Unix socket.
  wait.target->path.reset();
  Observation observation = full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95));
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
  EXPECT_EQ(classify(wait, observation.after.listeners[0]), WaitClass::kPeer);
  facts::Listener unix_listener;
  unix_listener.protocol = facts::Protocol::kUnix;
  EXPECT_EQ(classify(wait, unix_listener), WaitClass::kOther) << "either end may be its own";
}

TEST(Causes, AServerOfThisHostAtTheOtherEndHasAName) {
  Wait wait = in_call("S", "recvfrom");
  wait.target = facts::FileTarget{.type = "sockfs", .device = 0, .inode = 0};
  wait.target->local = wait.target->peer = facts::IpAddress::parse("127.0.0.1");
  wait.target->local_port = 51234;
  wait.target->peer_port = 9000;
  facts::Observation observation = full(thread(3985, 3985, AcceptLink::kAccept, wait, 0.95));
  facts::Listener behind = make_listener(9000, 0, 511, 0);
  behind.owners = {{.pid = Pid(812), .fd = 7}};
  observation.after.listeners.push_back(behind);
  observation.after.processes.push_back({.pid = Pid(812), .comm = "php-fpm"});
  facts::normalize(observation.after);
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ307"),
                   "nginx waits for an answer of 127.0.0.1:9000 (php-fpm, pid 812): 95 %"));
  EXPECT_EQ(find(report, "AQ307")->cause->detail.at("listener"), facts::listener_key(behind));
  // Another pod's loopback is another place.
  for (facts::Listener& listener : observation.after.listeners) {
    if (listener.port == 9000) listener.netns = kHost;
  }
  EXPECT_TRUE(says(find(report_of(observation), "AQ307"), "an answer of 127.0.0.1:9000: 95 %"));
}

TEST(Causes, PipeLockAndSleep) {
  Wait pipe = in_call("S", "write", {"anon_pipe_write"});
  pipe.target = facts::FileTarget{.type = "pipefs", .path = "pipe:[77]"};
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, pipe, 0.95))), Kinds{"pipe"});
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kAccept,
                              in_call("S", "futex", {"futex_wait_queue"}), 0.95))),
            Kinds{"lock"});
  EXPECT_EQ(
      kinds(full(thread(3985, 3985, AcceptLink::kAccept, in_call("S", "clock_nanosleep"), 0.95))),
      Kinds{"sleep"});
}

// Runtimes sleep so, and threads of a pool wait so for work.
TEST(Causes, ALockOfAFileHasItsName) {
  Wait wait = in_call("S", "flock", {"locks_lock_inode_wait"});
  wait.target = facts::FileTarget{.type = "ext4", .path = "/run/app.lock"};
  EXPECT_TRUE(says(find(report_of(full(thread(3985, 3985, AcceptLink::kAccept, wait, 1))), "AQ305"),
                   "nginx waits for a lock (of the file /run/app.lock): 100 %"));
}

TEST(Causes, AWaitWithATimerIsNoLock) {
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, at_lock(false), 0.9))),
            Kinds{"lock"});
  EXPECT_EQ(kinds(full(thread(3985, 3985, AcceptLink::kEpoll, at_lock(true), 0.9))),
            Kinds{"unknown"});
}

TEST(Causes, AllWaitForLocksAndNobodyForTheTime) {
  EXPECT_EQ(kinds(full({still(3985, at_lock(false)), still(3986, at_lock(false))})), Kinds{"lock"});
  // That one may just sleep, and be the one that accepts.
  EXPECT_EQ(kinds(full({still(3985, at_lock(false)), still(3986, at_lock(true))})),
            Kinds{"unknown"});
  // Not known whether with a timer.
  EXPECT_EQ(kinds(full({still(3985, in_call("S", "futex")), still(3986, in_call("S", "futex"))})),
            Kinds{"unknown"});
}

// Connections are taken, by nobody else.
TEST(Causes, TheOneThatComputesWhileAllOthersArePutAside) {
  ThreadWatch computes = thread(3985, 3990, AcceptLink::kOwner, running(), 1);
  computes.times.user_ns = 1'900'000'000;
  const auto of = [&](ThreadWatch other) {
    return full({still(3985, at_lock(false)), still(3986, at_lock(false)),
                 still(3987, at_lock(true)), computes, std::move(other)});
  };
  EXPECT_EQ(kinds(of(still(3991, at_lock(true)))), Kinds{"cpu.busy"});
  // That one is woken now and then: it may be the one that accepts.
  EXPECT_EQ(kinds(of(thread(3985, 3991, AcceptLink::kOwner, at_lock(false), 1))), Kinds{"unknown"});
  // Or it waits for what the one that computes has, as well as it may for work.
  EXPECT_EQ(kinds(full({thread(3985, 3985, AcceptLink::kOwner, at_lock(false), 1), computes})),
            Kinds{"unknown"});
  Observation takes_none = of(still(3991, at_lock(true)));
  takes_none.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  EXPECT_EQ(kinds(takes_none), Kinds{"unknown"});
}

TEST(Causes, AnEventLoopThatSleepsBesideThreadsWithoutWork) {
  Observation observation = full({still(3985, in_call("S", "clock_nanosleep")),
                                  still(3986, at_lock(false)), still(3987, at_lock(false))});
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  // No event loop has the listener.
  observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

TEST(Causes, GarbageIsCollectedWhileTheyWait) {
  ThreadWatch collector = thread(3985, 3990, AcceptLink::kOwner, running(), 1);
  collector.comm = "GC Thread#0";
  collector.times.user_ns = 1'500'000'000;
  const ThreadWatch waits = thread(3985, 3991, AcceptLink::kEpoll, at_lock(false), 0.8);
  Observation observation = full({waits, collector});
  EXPECT_EQ(kinds(observation), Kinds{"gc"});
  EXPECT_NEAR(*find(report_of(observation), "AQ304")->cause->share, 0.75, 0.01);
  auto& threads = observation.accept_evidence.acceptors.begin()->second.threads;
  threads[1].times.user_ns = 50'000'000;
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
  // It holds the lock, or collects: without a name that cannot be told.
  threads[1].times.user_ns = 1'500'000'000;
  threads[1].comm = "";
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  threads[1].comm = "worker";
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
}

// The first thread of a process that is told by a pipe what to do is not at work for a client.
TEST(Causes, AThreadThatWaitsForOrdersIsNotBusy) {
  Wait orders = in_call("S", "read", {"anon_pipe_read"});
  orders.target = facts::FileTarget{.type = "pipefs"};
  const Wait reads = on_socket("recvfrom", 80, 4242);
  EXPECT_EQ(kinds(full({still(3985, orders), still(3986, reads), still(3987, reads)})),
            Kinds{"client"});
}

TEST(Causes, TwoAtOnceAreRanked) {
  ThreadWatch both = thread(3985, 3985, AcceptLink::kEpoll, in_fuse(), 0.6);
  both.waits[1] = in_call("S", "nanosleep");
  both.waits[1].looks = 40;
  EXPECT_EQ(kinds(full(both)), (Kinds{"io.fuse", "sleep"}));
}

TEST(Causes, AreUnknownWhereMoreIsNotExplainedThanIs) {
  ThreadWatch both = thread(3985, 3985, AcceptLink::kEpoll, at_lock(false), 0.4);
  both.waits[1] = running();
  both.waits[1].looks = 60;
  both.times.user_ns = 1'200'000'000;
  EXPECT_EQ(kinds(full(both)), (Kinds{"cpu.busy", "lock"}));
  both.times.user_ns.reset();
  EXPECT_EQ(kinds(full(both)), Kinds{"unknown"});
}

TEST(Causes, SayNothingOfHealthyListeners) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kOwner, in_call("T", "read"), 1));
  observation.before = observation.after;
  observation.after.listeners[0].accept_queue_len = QueueLength(3);
  observation.before.listeners[0].accept_queue_len = QueueLength(3);
  observation.samples.clear();
  EXPECT_EQ(kinds(observation), Kinds{});
  // Its queue was full for a moment, and nobody was refused: what could not be told is nothing.
  observation.after.listeners[0].limit = QueueLimit(1);
  observation.after.listeners[0].accept_queue_len = QueueLength(0);
  observation.before.listeners[0] = observation.after.listeners[0];
  const std::string key = facts::listener_key(observation.after.listeners[0]);
  observation.samples[key] = {.count = 40, .full = 1, .longest = QueueLength(1)};
  facts::ThreadWatch& thread = observation.accept_evidence.acceptors.begin()->second.threads[0];
  thread.waits[0].state = "S";
  thread.looks = 1;
  EXPECT_EQ(kinds(observation), Kinds{});
}

}  // namespace
}  // namespace acceptq::diagnose
