// What `acceptq explain WORD` knows by heart: findings, counters and sysctls.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::diagnose {

struct Explanation {
  std::string word;  // as it is written properly: "AQ101", "TcpExtListenOverflows"
  std::string kind;  // "finding", "counter", "sysctl", or another of docs/explain.md
  std::string title;
  std::string text;
  std::string next;    // what to do; empty where there is nothing
  std::string source;  // where the kernel does it
};

// Case does not matter, and counters go by nstat's name (TcpExtListenOverflows), netstat's
// (ListenOverflows), or the phrase that `netstat -s` prints; a line of the kernel's log or an error
// message by what docs/explain.md calls it.
[[nodiscard]] std::optional<Explanation> explain_word(std::string_view word);

// Known words that are spelled nearly like `word`, best first, at most three.
[[nodiscard]] std::vector<std::string> similar_words(std::string_view word);

// Every word that explain_word knows, findings first.
[[nodiscard]] std::vector<std::string> known_words();

}  // namespace acceptq::diagnose
