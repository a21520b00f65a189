// Listeners of a namespace of the test's own, and what resizes them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <utility>
#include <vector>

#include "apply/resize.h"
#include "apply/sysctl.h"
#include "collect/scan.h"
#include "support/child.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::apply {

class ResizeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
    if (!test::kernel_is_at_least(5, 6)) GTEST_SKIP() << "pidfd_getfd() came with Linux 5.6";
    ns_.emplace();
    ns_->set("net/core/somaxconn", "128");
  }

  // A child holds what the test has made, and the test's own copies are closed.
  void hand_over(std::vector<UniqueFd> sockets) {
    holder_.emplace([] { ::pause(); });
    sockets.clear();
  }

  facts::Snapshot look() {
    Result<facts::Snapshot> snapshot = scanner_.scan(collect::ScanDepth::kComplete);
    test::require(snapshot.has_value(), "scan");
    std::erase_if(snapshot->listeners,
                  [&](const facts::Listener& each) { return each.netns != ns_->id(); });
    return std::move(*snapshot);
  }

  ResizeOutcome resize_to(const facts::Snapshot& seen, std::uint32_t limit,
                          const BeforeChange& before_change = {}) {
    Result<ResizePlan> plan = plan_resize(seen, seen.listeners.at(0), QueueLimit{limit});
    test::require(plan.has_value(), "plan");
    plan->afterwards = afterwards_;
    return resize(*plan, entrance(), before_change);
  }

  collect::netns::Handle entrance() {
    const auto handle = scanner_.entrance(ns_->id());
    test::require(handle.has_value(), "entrance");
    return *handle;
  }

  std::int64_t somaxconn() {
    std::int64_t value = 0;
    ns_->run([&] { value = read_sysctl(facts::kSomaxconn).value_or(-1); });
    return value;
  }

  std::optional<test::TestNetns> ns_;
  std::optional<test::Forked> holder_;
  collect::Scanner scanner_{{}};
  RaisedSomaxconn::Afterwards afterwards_ = RaisedSomaxconn::Afterwards::kPutBack;
};

}  // namespace acceptq::apply
