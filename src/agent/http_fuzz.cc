// Any bytes at all are answered, bounded and in the right form, or refused; never a crash, and the
// metrics only with the token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/http_answer.h"

using namespace acceptq::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static bool rendered = false;
  static HttpAnswerer answerer(
      {{"/metrics",
        {.handler =
             [] {
               rendered = true;
               return HttpReply{.body = std::make_shared<const std::string>("up 1\n")};
             }}},
       {"/healthz", {.handler = [] { return HttpReply{}; }, .open = true}}},
      {.token_fits = [](std::string_view token) { return token == "0123456789abcdef"; },
       .within_rate = {}});
  constexpr std::size_t kLongestRequest = 8192;
  std::string_view received(reinterpret_cast<const char*>(data), size);
  while (const std::size_t length = request_length(received.substr(0, kLongestRequest))) {
    const std::string_view request = received.substr(0, length);
    rendered = false;
    const HttpAnswer answer = answerer.answer(request, false);
    if (!answer.head.starts_with("HTTP/1.1 ") || !answer.head.ends_with("\r\n\r\n")) std::abort();
    if (answer.head.find("\r\n\r\n") + 4 != answer.head.size()) std::abort();
    if (answer.head.size() > kLongestRequest) std::abort();
    if (answer.status != 200 && !answer.close) std::abort();
    if (rendered && request.find("0123456789abcdef") == std::string_view::npos) std::abort();
    if (answer.close) break;
    received.remove_prefix(length);
  }
  return 0;
}
