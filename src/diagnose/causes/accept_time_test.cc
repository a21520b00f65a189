// Whose time counts, of those that hold a listener.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// A process for each connection: they sleep, and it is their parent that is to accept.
TEST(AcceptTime, ChildrenThatComeAndGoDoNotAccept) {
  const auto sleeps = in_call("S", "clock_nanosleep", {"hrtimer_nanosleep"});
  facts::Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "wait4", {"do_wait"}), 1),
            thread(3990, 3990, AcceptLink::kOwner, sleeps, 1),
            thread(3991, 3991, AcceptLink::kOwner, sleeps, 1)});
  const facts::Process parent = observation.after.processes[0];
  const auto own = [&](facts::Snapshot& snapshot, const std::vector<int>& children) {
    snapshot.processes = {parent};
    for (const int pid : children) {
      snapshot.processes.push_back({.pid = Pid(pid), .parent = Pid(3985), .comm = "nginx"});
      snapshot.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 6});
    }
  };
  // Workers that stay are those that sleep.
  facts::Observation pool = observation;
  own(pool.before, {3990, 3991});
  own(pool.after, {3990, 3991});
  EXPECT_EQ(kinds(pool), Kinds{"sleep"});
  own(observation.before, {3990});
  own(observation.after, {3991});
  const Report report = report_of(observation);
  EXPECT_TRUE(says(find(report, "AQ312"), "nginx waits for its child processes"));
  EXPECT_EQ(find(report, "AQ308"), nullptr);
}

// A master waits for its children and accepts nothing; its workers were in no call that tells.
TEST(AcceptTime, MastersAndIdleThreadsDoNotCount) {
  const Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "rt_sigsuspend"), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_fuse(), 1),
            thread(3987, 3987, AcceptLink::kOwner, in_fuse(), 1)});
  const Report report = report_of(observation);
  ASSERT_NE(find(report, "AQ310"), nullptr);
  EXPECT_DOUBLE_EQ(*find(report, "AQ310")->cause->share, 1);
  // An event loop beside a pool of threads that have nothing to do.
  const Observation loop = full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
                                 thread(3985, 3990, AcceptLink::kOwner, in_call("S", "futex"), 1),
                                 thread(3985, 3991, AcceptLink::kOwner, in_call("S", "futex"), 1)});
  EXPECT_EQ(kinds(loop), Kinds{"io.fuse"});
}

// One worker hangs for good, and the other makes all of what is accepted.
TEST(AcceptTime, AWorkerThatServesCountsBesideOneThatHangs) {
  Wait reads = in_call("S", "recvfrom");
  reads.target = facts::FileTarget{.type = "sockfs"};
  reads.target->local = reads.target->peer = facts::IpAddress::parse("127.0.0.1");
  reads.target->local_port = 51234;
  reads.target->peer_port = 9000;
  ThreadWatch hangs = thread(3985, 3985, AcceptLink::kOwner, reads, 1);
  ThreadWatch serves = thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1);
  EXPECT_EQ(kinds(full({hangs, serves})), Kinds{"upstream"});
  serves.closed = 10;
  EXPECT_EQ(kinds(full({hangs, serves})), (Kinds{"upstream", "sleep"}));
}

// As of Gunicorn and PHP-FPM: it waits for what its workers say, while they sleep.
TEST(AcceptTime, AMasterThatWaitsForOrdersIsNotAWorker) {
  Wait orders = in_call("S", "select", {"do_select"});
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, orders, 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1)});
  observation.after.processes.push_back({.pid = Pid(3986), .parent = Pid(3985), .comm = "nginx"});
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  Wait& waits = observation.accept_evidence.acceptors.begin()->second.threads[0].waits[0];
  const auto share = [&] { return *find(report_of(observation), "AQ308")->cause->share; };
  EXPECT_DOUBLE_EQ(share(), 0.5);
  for (const auto polled : {facts::Polled::kPipes, facts::Polled::kNothing}) {
    waits.polled = polled;
    EXPECT_DOUBLE_EQ(share(), 1);
  }
  // A server that has as many clients as it may have waits for these.
  waits.polled = facts::Polled::kClients;
  EXPECT_DOUBLE_EQ(share(), 0.5);
  // It waits for one server, and its child knows nothing of that.
  waits.polled = facts::Polled::kNothing;
  waits.target = facts::FileTarget{.type = "sockfs"};
  waits.target->peer = facts::IpAddress::parse("10.0.0.9");
  EXPECT_NE(find(report_of(observation), "AQ307"), nullptr);
  waits.target.reset();
  // It is nobody's parent.
  waits.polled = facts::Polled::kPipes;
  observation.after.processes.back().parent = Pid(1);
  EXPECT_LT(share(), 1);
}

// A helper that inherited the listener has none of its clients.
TEST(AcceptTime, WhoHasNoClientsIsABystander) {
  Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1)});
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.threads[1].closed = 0;
  acceptors.held = {{.pid = Pid(3985), .most = 1}, {.pid = Pid(3986), .most = 0}};
  EXPECT_EQ(kinds(observation), Kinds{"io.fuse"});
  acceptors.held = {{.pid = Pid(3985), .most = 0}, {.pid = Pid(3986), .most = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  // It is the parent that accepts, and its child has the client.
  acceptors.threads[0].waits[0] = in_call("S", "wait4", {"do_wait"});
  acceptors.threads[0].waits[0].looks = kLooks;
  observation.after.processes.push_back({.pid = Pid(3986), .parent = Pid(3985), .comm = "nginx"});
  observation.after.listeners[0].owners.push_back({.pid = Pid(3986), .fd = 6});
  EXPECT_EQ(find(report_of(observation), "AQ308")->cause->share, 0.5);
  observation.after.processes.back().parent = Pid(1);
  acceptors.threads[0].waits[0] = in_fuse();
  acceptors.threads[0].waits[0].looks = kLooks;
  // One that lets clients go serves them, whatever a look shows.
  acceptors.threads[0].closed = 3;
  EXPECT_EQ(kinds(observation), (Kinds{"sleep", "io.fuse"}));
}

// A child that has ended, and that nobody has waited for, is no thread that could accept.
TEST(AcceptTime, TheDeadDoNotCount) {
  const Observation observation =
      full({thread(3985, 3985, AcceptLink::kOwner, in_fuse(), 1),
            thread(3986, 3986, AcceptLink::kOwner, in_call("Z", "exit_group"), 1)});
  EXPECT_DOUBLE_EQ(*find(report_of(observation), "AQ310")->cause->share, 1);
}

// Of a server with a thread for each of its two addresses.
TEST(AcceptTime, WhoAcceptsForAnotherListenerIsNotIdle) {
  Wait accepts = in_call("S", "accept4", {"inet_csk_accept"});
  accepts.fd = 7;
  Wait lock = in_call("S", "futex", {"futex_wait_queue"});
  lock.lock = 0x1000;
  lock.timed = false;
  Observation observation = full({thread(3985, 3985, AcceptLink::kOwner, accepts, 1),
                                  thread(3985, 3990, AcceptLink::kOwner, lock, 1)});
  observation.accept_evidence.acceptors.begin()->second.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"lock"});
}

}  // namespace
}  // namespace acceptq::diagnose
