// AQ407: what a program closes unread.
#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

struct Growth {
  std::uint64_t taken = 0;
  std::uint64_t closed_unread = 0;
  std::uint64_t closed_before_data = 0;
  std::uint64_t own_clients = 0;
};

Report report(const Growth& growth, const std::vector<facts::Listener>& listeners) {
  const facts::Namespace before = make_namespace(kPod, 4096,
                                                 {{"TcpPassiveOpens", 0},
                                                  {"TcpActiveOpens", 0},
                                                  {"TcpExtTCPAbortOnClose", 7},
                                                  {"TcpExtTCPAbortOnData", 0},
                                                  {"TcpExtListenDrops", 0}});
  const facts::Namespace after =
      make_namespace(kPod, 4096,
                     {{"TcpPassiveOpens", growth.taken},
                      {"TcpActiveOpens", growth.own_clients},
                      {"TcpExtTCPAbortOnClose", 7 + growth.closed_unread},
                      {"TcpExtTCPAbortOnData", growth.closed_before_data},
                      {"TcpExtListenDrops", 0}});
  return diagnose(observe(listeners, before, listeners, after));
}

Report of_one(const Growth& growth) { return report(growth, {make_listener(80, 0, 511, 0)}); }

TEST(Unread, HalfOfWhatWasTakenIsANotice) {
  const Report found =
      of_one({.taken = 145, .closed_unread = 86, .closed_before_data = 58, .own_clients = 2});
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(found.findings[0].id, "AQ407");
  EXPECT_EQ(found.findings[0].severity, Severity::kNotice);
  EXPECT_EQ(found.verdict, Verdict::kHealthy);
  EXPECT_TRUE(says(&found.findings[0], "145 connections were taken"));
  EXPECT_TRUE(says(&found.findings[0], "and 142 of its network namespace were closed"));
}

TEST(Unread, FewOrClientsOfItsOwnAreNone) {
  EXPECT_TRUE(of_one({.taken = 145, .closed_unread = 60}).findings.empty());
  EXPECT_TRUE(of_one({.taken = 4, .closed_unread = 4}).findings.empty());
  EXPECT_TRUE(of_one({.taken = 222, .closed_unread = 191, .own_clients = 244}).findings.empty());
}

// Which of them closes is not known.
TEST(Unread, OfSeveralListenersNothingIsSaid) {
  const Report several = report({.taken = 145, .closed_unread = 140},
                                {make_listener(80, 0, 511, 0), make_listener(81, 0, 511, 0)});
  EXPECT_TRUE(several.findings.empty());
}

}  // namespace
}  // namespace acceptq::diagnose
