#include "collect/containers/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::collect::containers {
namespace {

const std::string kRun = ACCEPTQ_SOURCE_DIR "/tests/data/containers/run";

TEST(ParseBundle, ReadsContainerdsAnnotations) {
  const auto names = parse_bundle(R"({"ociVersion": "1.1.0", "annotations": {
      "io.kubernetes.cri.container-name": "nginx", "io.kubernetes.cri.sandbox-name": "web-0",
      "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-uid": "u-1"}})");
  ASSERT_TRUE(names.has_value());
  EXPECT_EQ(*names, (ContainerNames{{}, "nginx", facts::Pod{"shop", "web-0", "u-1"}}));
}

TEST(ParseBundle, WhatIsNotThereStaysEmpty) {
  for (const char* json : {"{}", R"({"annotations": null})", R"({"annotations": []})",
                           R"({"annotations": {"io.kubernetes.pod.name": 7}})"}) {
    const auto names = parse_bundle(json);
    ASSERT_TRUE(names.has_value()) << json;
    EXPECT_EQ(*names, ContainerNames{}) << json;
  }
}

TEST(ParseBundle, RefusesWhatIsNoObject) {
  for (const std::string& json :
       {std::string(), std::string("[]"), std::string("{"), std::string("7"), std::string(9, '\0'),
        std::string(200'000, '['), std::string("{\"a\":\"\xff\"}")}) {
    EXPECT_EQ(parse_bundle(json).error().code, ErrorCode::kMalformed);
  }
}

TEST(ReadBundle, FindsTheRuntimeByThePlace) {
  const auto containerd = read_bundle(kRun, "49b4135534da" + std::string(52, '0'));
  ASSERT_TRUE(containerd && *containerd);
  EXPECT_EQ((*containerd)->runtime, "containerd");
  EXPECT_EQ((*containerd)->pod.name, "tcpbench-6484d4b457-847gl");
  const auto crio = read_bundle(kRun, std::string(64, 'c'));
  ASSERT_TRUE(crio && *crio);
  EXPECT_EQ((*crio)->runtime, "cri-o");
  EXPECT_EQ((*crio)->name, "postgres");
  EXPECT_EQ((*crio)->pod.ns, "shop");
}

TEST(ReadBundle, AbsentIsNoErrorAndMalformedIs) {
  const auto absent = read_bundle(kRun, std::string(64, '9'));
  ASSERT_TRUE(absent.has_value());
  EXPECT_FALSE(*absent);
  const auto escape = read_bundle(kRun, "../../../../etc");
  ASSERT_TRUE(escape.has_value());
  EXPECT_FALSE(*escape);
  const auto malformed = read_bundle(kRun, std::string(64, 'b'));
  ASSERT_FALSE(malformed.has_value());
  EXPECT_EQ(malformed.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(malformed.error().context, testing::HasSubstr("config.json"));
}

}  // namespace
}  // namespace acceptq::collect::containers
