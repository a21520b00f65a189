#include "collect/containers/unix_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/containers/engine_api.h"

namespace acceptq::collect::containers {
namespace {

const std::string kId(64, 'd');

TEST(ParseHttpReply, TakesAWholeReply) {
  const auto reply = parse_http_reply(
      "HTTP/1.0 200 OK\r\nServer: Docker/24 (linux)\r\ncontent-length: 2\r\n\r\n[]");
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "[]");
  EXPECT_EQ(parse_http_reply("HTTP/1.1 404 Not Found\n\nx\ny")->body, "x\ny");
  EXPECT_EQ(parse_http_reply("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nabc")->body, "a");
  EXPECT_EQ(parse_http_reply("HTTP/1.0 204\r\n\r\n")->status, 204);
}

struct BadRow {
  const char* bytes;
  ErrorCode code;
};

TEST(ParseHttpReply, RefusesTheRest) {
  const BadRow rows[] = {
      {"", ErrorCode::kMalformed},
      {"SSH-2.0-OpenSSH\r\n", ErrorCode::kMalformed},
      {"HTTP/2 200\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 \r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 abc\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 007 Bond\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 200 OK", ErrorCode::kTruncated},
      {"HTTP/1.0 200 OK\r\nA: b\r\n", ErrorCode::kTruncated},
      {"HTTP/1.0 200 OK\r\nA b\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[]", ErrorCode::kTruncated},
      {"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ErrorCode::kMalformed},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", ErrorCode::kUnsupported},
  };
  for (const BadRow& row : rows) {
    const auto reply = parse_http_reply(row.bytes);
    ASSERT_FALSE(reply.has_value()) << row.bytes;
    EXPECT_EQ(reply.error().code, row.code) << row.bytes;
  }
}

TEST(ParseEngineContainers, TakesDockersAndCriDockerdsContainers) {
  const auto by_id = parse_engine_containers(R"([{"Id": ")" + kId +
                                             R"(", "Names": ["/web"], "Labels": {"a": "b"}},
          {"Id": ")" + std::string(64, 'e') + R"(", "Names": ["/k8s_c_p_n_u_0"], "Labels": {
            "io.kubernetes.container.name": "c", "io.kubernetes.pod.name": "p",
            "io.kubernetes.pod.namespace": "n", "io.kubernetes.pod.uid": "u"}}])");
  ASSERT_TRUE(by_id.has_value());
  EXPECT_EQ(by_id->at(kId), (ContainerNames{{}, "web", {}}));
  EXPECT_EQ(by_id->at(std::string(64, 'e')), (ContainerNames{{}, "c", facts::Pod{"n", "p", "u"}}));
}

TEST(ParseEngineContainers, PassesOverWhatHasAnotherForm) {
  const auto by_id =
      parse_engine_containers(R"([7, null, {}, {"Id": 7}, {"Id": "../x"}, {"Id": ")" + kId +
                              R"(", "Names": null, "Labels": null}])");
  ASSERT_TRUE(by_id.has_value());
  ASSERT_EQ(by_id->size(), 1U);
  EXPECT_EQ(by_id->at(kId), ContainerNames{});
  EXPECT_EQ(parse_engine_containers(R"([{"Id": ")" + kId + R"(", "Names": [7]}])")->at(kId),
            ContainerNames{});
}

TEST(ParseEngineContainers, RefusesWhatIsNoArray) {
  for (const std::string& json : {std::string(), std::string("{}"), std::string("[1,"),
                                  std::string("[]]"), std::string(300'000, '[')}) {
    EXPECT_EQ(parse_engine_containers(json).error().code, ErrorCode::kMalformed);
  }
}

}  // namespace
}  // namespace acceptq::collect::containers
