// What tests of imported text ask of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "import/import.h"

namespace acceptq::imports {

using facts::Listener;
using facts::Observation;

inline Observation import_one(std::string text) {
  const Text texts[] = {{.name = "t", .bytes = std::move(text)}};
  const Result<Imported> imported = import_texts(texts);
  EXPECT_TRUE(imported) << (imported ? "" : imported.error().context);
  return imported.value_or(Imported{}).observation;
}

inline std::string refused(std::string text) {
  const Text texts[] = {{.name = "t", .bytes = std::move(text)}};
  const Result<Imported> imported = import_texts(texts);
  return imported ? "it was read" : imported.error().context;
}

inline const Listener* at(const Observation& observation, std::string_view endpoint) {
  const auto found =
      std::ranges::find(observation.after.listeners, endpoint, facts::listener_endpoint);
  return found != observation.after.listeners.end() ? &*found : nullptr;
}

inline std::vector<std::string> reasons(const Observation& observation, std::string_view id) {
  std::vector<std::string> all;
  for (const auto& spot : observation.after.blind_spots) {
    if (spot.id == id) all.push_back(spot.scope + ": " + spot.reason);
  }
  return all;
}

inline std::optional<std::uint64_t> counter(const facts::Snapshot& snapshot,
                                            std::string_view name) {
  for (const auto& ns : snapshot.namespaces) {
    if (ns.counters.contains(name)) return ns.counters.at(name);
  }
  return std::nullopt;
}

inline std::optional<std::int64_t> somaxconn_of(const Observation& observation,
                                                std::string_view label) {
  for (const auto& ns : observation.after.namespaces) {
    const auto value = ns.sysctls.find(facts::kSomaxconn);
    if (ns.pasted->label == label && value != ns.sysctls.end()) return value->second.value;
  }
  return std::nullopt;
}

inline constexpr const char* kSs =
    "State      Recv-Q Send-Q Local Address:Port  Peer Address:Port\n"
    "LISTEN     129    128                *:80               *:*\n";

}  // namespace acceptq::imports
