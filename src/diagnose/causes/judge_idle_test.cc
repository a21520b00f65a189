// Threads that have time while connections wait.
#include <gtest/gtest.h>

#include "diagnose/causes/causes_test_support.h"

namespace acceptq::diagnose {
namespace {

// A process that inherited a listener, and knows nothing of it.
TEST(JudgeIdle, SleepersThatNeverAcceptAreNoServers) {
  Observation observation =
      full(thread(3985, 3985, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1));
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});  // it wakes now and then, and may serve somebody
  acceptors.threads[0].times.voluntary = 0;
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
}

TEST(JudgeIdle, NobodyAcceptsThoughAllHaveTime) {
  Observation observation =
      full(thread(3985, 3985, AcceptLink::kOwner, in_call("S", "poll", {"do_sys_poll"}), 1));
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  const double before = find(report_of(observation), "AQ312")->confidence;
  acceptors.in_epoll = 0;
  EXPECT_GT(find(report_of(observation), "AQ312")->confidence, before);
  EXPECT_TRUE(says(find(report_of(observation), "AQ312"), "no thread or epoll of it waits"));
  // The one connection that a thread polls is seen in its wait queue only.
  acceptors.queue_looks = 0;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  // Nor is it told by a master that waits for all that may come.
  acceptors.threads.push_back(thread(3986, 3986, AcceptLink::kOwner, in_epoll(), 1));
  observation.after.processes.push_back(observation.after.processes[0]);
  observation.after.processes[1].pid = Pid(3986);
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  acceptors.threads.pop_back();
  acceptors.threads[0].waits[0] = in_epoll();
  acceptors.threads[0].waits[0].looks = kLooks;
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  // It may lack descriptors.
  observation.after.processes[0].open_files.reset();
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

TEST(JudgeIdle, BurstsOfAQueueThatDrains) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, in_epoll(), 1));
  observation.samples.begin()->second.full = 6;
  observation.after.listeners[0].accept_queue_len = QueueLength(0);
  observation.before.listeners[0].accept_queue_len = QueueLength(0);
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 4000;
  EXPECT_EQ(kinds(observation), Kinds{"burst"});
  // One that sleeps for as long as it has time does not keep up.
  auto& threads = observation.accept_evidence.acceptors.begin()->second.threads;
  threads[0] = thread(3985, 3985, AcceptLink::kEpoll,
                      in_call("S", "clock_nanosleep", {"hrtimer_nanosleep"}), 0.6);
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  // Nor one without a core for as long, also where its quota cannot be read.
  threads[0] = thread(3985, 3985, AcceptLink::kEpoll, running(), 0.6);
  threads[0].times.delay_ns = 1'200'000'000;
  observation.accept_evidence.processes[0].cpu_groups_seen = false;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  // A thread that is never idle does not keep up.
  auto& waits = observation.accept_evidence.acceptors.begin()->second.threads[0].waits;
  waits = {in_call("S", "read", {"something_else"})};
  waits[0].looks = kLooks;
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
}

// A process that inherited a listener, and looks now and then at something else (tail -f).
// system() in a handler, whose client waits; one at its limit of children has none of the clients.
TEST(JudgeIdle, WhoWaitsForAChildOnBehalfOfAClientIsNotAtALimit) {
  Observation observation =
      stuck({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "wait4", {"do_wait"}), 1)});
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(3985), .most = 1, .silent = 0, .asked = 0, .unanswered = 1}};
  EXPECT_EQ(kinds(observation), Kinds{"unknown"});
  EXPECT_TRUE(says(find(report_of(observation), "AQ314"), "for its clients (pgrep -l -P 3985)"));
  acceptors.held[0].most = acceptors.held[0].unanswered.emplace(0);
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
}

// sh -c "sleep 500; …", which a server started, and which has its listener since.
TEST(JudgeIdle, AShellThatWaitsForASleeperHasNothingToDo) {
  Observation observation =
      stuck({thread(3985, 3985, AcceptLink::kOwner, in_call("S", "wait4", {"do_wait"}), 1),
             thread(3986, 3986, AcceptLink::kOwner, kSleeps, 1)});
  observation.after.processes.push_back(observation.after.processes[0]);
  observation.after.processes[1].pid = Pid(3986);
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  for (const int pid : {3985, 3986}) acceptors.held.push_back({.pid = Pid(pid), .most = 0});
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
}

TEST(JudgeIdle, ASleeperThatServesNobodyHasNothingToDo) {
  Observation observation =
      full(thread(3985, 3985, AcceptLink::kOwner, in_call("S", "clock_nanosleep"), 1));
  observation.after.namespaces[1].counters["TcpPassiveOpens"] = 0;
  auto& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.in_epoll = 0;
  acceptors.held = {{.pid = Pid(3985), .most = 0}};
  EXPECT_EQ(kinds(observation), Kinds{"not_accepting"});
  acceptors.held[0].most = 1;
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
  acceptors.threads[0].times.voluntary = 0;  // one sleep, as long as the watch
  EXPECT_EQ(kinds(observation), Kinds{"sleep"});
}

// An event loop, or a Go program, that has time: its connections tell what it waits for.
TEST(JudgeIdle, WhoHasTimeMayWaitAtItsConnections) {
  const auto of = [](facts::HeldConnections held) {
    Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, in_epoll(), 1));
    held.pid = Pid(3985);
    observation.accept_evidence.acceptors.begin()->second.held = {held};
    return observation;
  };
  const auto peer = facts::IpAddress::parse("10.0.0.9");
  const Observation upstream =
      of({.most = 8, .silent = 0, .asked = 8, .peer = peer, .peer_port = std::uint16_t{9090}});
  EXPECT_EQ(kinds(upstream), Kinds{"upstream"});
  EXPECT_TRUE(says(find(report_of(upstream), "AQ307"),
                   "waits for answers, at 8 of its connections (one to 10.0.0.9:9090)"));
  const Observation silent = of({.most = 1, .silent = 1, .asked = 0});
  EXPECT_EQ(kinds(silent), Kinds{"client"});
  EXPECT_TRUE(says(find(report_of(silent), "AQ307"), "waits for its only client"));
  // At its limit, whatever its clients say; one question beside many clients.
  EXPECT_EQ(kinds(of({.most = 8, .silent = 8, .asked = 0})), Kinds{"not_accepting"});
  EXPECT_EQ(kinds(of({.most = 8, .silent = 0, .asked = 1, .peer = peer})), Kinds{"not_accepting"});
  // Both at once tell neither.
  EXPECT_EQ(kinds(of({.most = 1, .silent = 1, .asked = 1, .peer = peer})), Kinds{"unknown"});
  // More are asked than clients wait, or one for two of them: a broker's subscriber asks for good.
  EXPECT_EQ(kinds(of({.most = 8, .silent = 0, .asked = 11, .peer = peer})), Kinds{"unknown"});
  EXPECT_EQ(kinds(of({.most = 2, .silent = 0, .asked = 1, .peer = peer})), Kinds{"unknown"});
  EXPECT_EQ(kinds(of({.most = 8, .silent = 0, .asked = 8, .unanswered = 0, .peer = peer})),
            Kinds{"not_accepting"});
  // Nobody subscribes to a name server; that of a server with other clients is asked beside them.
  const auto looks_up = [&](std::uint32_t clients, double mean) {
    return of({.most = clients,
               .silent = 0,
               .asked = 1,
               .unanswered = clients,
               .mean_asked = mean,
               .peer = peer,
               .peer_port = std::uint16_t{53}});
  };
  EXPECT_TRUE(says(find(report_of(looks_up(1, 1)), "AQ307"),
                   "waits for an answer of 10.0.0.9:53, a name server"));
  EXPECT_EQ(kinds(looks_up(1, 0.6)), Kinds{"unknown"});
  EXPECT_EQ(kinds(looks_up(8, 1)), Kinds{"not_accepting"});
  // Nobody is served, and others are asked for its own sake.
  EXPECT_EQ(kinds(of({.silent = 0, .asked = 2, .peer = peer})), Kinds{"not_accepting"});
}

// One that waits between two clients, for a timer or an answer, has more at one look than at
// another.
TEST(JudgeIdle, AGoProgramAtItsLimitHasAsManyAtEachLook) {
  Wait parked = in_call("S", "futex", {"futex_wait_queue"});
  parked.timed = false;
  const auto of = [&](double mean, double mean_asked) {
    Observation observation = full({thread(3985, 3985, AcceptLink::kEpoll, in_epoll(), 1),
                                    thread(3985, 3990, AcceptLink::kOwner, parked, 1)});
    observation.after.processes[0].language = "go";
    observation.accept_evidence.acceptors.begin()->second.held = {{.pid = Pid(3985),
                                                                   .most = 8,
                                                                   .silent = 0,
                                                                   .asked = 0,
                                                                   .unanswered = 8,
                                                                   .mean = mean,
                                                                   .mean_asked = mean_asked}};
    return kinds(observation);
  };
  EXPECT_EQ(of(7.9, 0), Kinds{"not_accepting"});
  EXPECT_EQ(of(4.2, 0), Kinds{"unknown"});
  // Whom it asks has answered at one look or another.
  EXPECT_EQ(of(7.9, 4.5), Kinds{"unknown"});
}

// Three of its clients wait for another server; that does not keep it from the group's other
// socket.
TEST(JudgeIdle, WhoServesAnotherSocketOfTheGroupDoesNotAcceptFromThisOne) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kEpoll, in_epoll(), 1));
  facts::Acceptors& acceptors = observation.accept_evidence.acceptors.begin()->second;
  acceptors.held = {{.pid = Pid(3985), .most = 3, .silent = 0, .asked = 3}};
  acceptors.held[0].peer = facts::IpAddress::parse("10.0.0.9");
  EXPECT_EQ(kinds(observation), Kinds{"upstream"});
  for (facts::Snapshot* snapshot : {&observation.before, &observation.after}) {
    facts::Listener other = snapshot->listeners[0];
    other.cookie = SocketCookie(99);
    other.accept_queue_len = QueueLength(0);
    snapshot->listeners.push_back(other);
    facts::normalize(*snapshot);
  }
  EXPECT_EQ(kinds(observation), (Kinds{"reuseport.skew", "not_accepting"}));
  EXPECT_TRUE(says(find(report_of(observation), "AQ111"),
                   "its process has one of these as well, and does not accept from this one"));
}

// What a thread waits for in poll() or an epoll may be why it does not accept.
TEST(JudgeIdle, WhatIsPolledMayBeWhatItIsThereFor) {
  for (const char* call : {"poll", "epoll_wait"}) {
    Wait wait = in_call("S", call);
    const auto of = [&](facts::Polled polled) {
      wait.polled = polled;
      return kinds(full(thread(3985, 3985, AcceptLink::kOwner, wait, 1)));
    };
    EXPECT_EQ(of(facts::Polled::kNothing), Kinds{"not_accepting"});
    EXPECT_EQ(of(facts::Polled::kClients), Kinds{"not_accepting"});
    EXPECT_EQ(of(facts::Polled::kPipes), Kinds{"unknown"});        // of a child, say
    EXPECT_EQ(of(facts::Polled::kConnections), Kinds{"unknown"});  // to a database, say
  }
}

// select() without a descriptor is a sleep.
TEST(JudgeIdle, WhoWaitsForNoDescriptorSleeps) {
  Wait wait = in_call("S", "pselect6", {"do_select"});
  wait.timed = true;
  const auto of = [&] { return kinds(full(thread(3985, 3985, AcceptLink::kOwner, wait, 1))); };
  EXPECT_EQ(of(), Kinds{"not_accepting"});  // for what, is not known
  wait.polled = facts::Polled::kNothing;
  EXPECT_EQ(of(), Kinds{"sleep"});
}

// accept() fails, and is called again after a second.
TEST(JudgeIdle, WhoLacksDescriptorsDoesNotAcceptForThatReason) {
  Observation observation = full(thread(3985, 3985, AcceptLink::kOwner, in_epoll(), 1));
  observation.after.processes[0].open_files = observation.after.processes[0].open_files_limit = 64;
  EXPECT_EQ(kinds(observation), Kinds{"fd_limit"});
}

}  // namespace
}  // namespace acceptq::diagnose
