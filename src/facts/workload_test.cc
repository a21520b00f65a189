#include "facts/workload.h"

#include <gtest/gtest.h>

namespace acceptq::facts {
namespace {

TEST(WorkloadOf, GoesByTheNamesThatControllersGive) {
  const auto text = [](const char* name) {
    const auto workload = workload_of({.ns = "shop", .name = name});
    return workload ? workload->kind + " " + workload->name : "";
  };
  EXPECT_EQ(text("tcpbench-6484d4b457-847gl"), "Deployment tcpbench");
  EXPECT_EQ(text("ingress-nginx-controller-7d9c5b9f4-x7k2p"),
            "Deployment ingress-nginx-controller");
  EXPECT_EQ(text("web-0"), "StatefulSet web");
  // A DaemonSet's or a Job's: they look alike.
  EXPECT_EQ(text("agent-x7k2p"), "");
  // Not what a controller writes: vowels, wrong lengths.
  EXPECT_EQ(text("my-own-server"), "");
  EXPECT_EQ(text("web-6484d4b457-84x"), "");
  EXPECT_EQ(text("-6484d4b457-847gl"), "");
  EXPECT_EQ(text("-0"), "");
  EXPECT_EQ(text(""), "");
  EXPECT_FALSE(workload_of({.ns = "shop"}).has_value());
}

}  // namespace
}  // namespace acceptq::facts
