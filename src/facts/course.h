// When things happened to the handshakes with one server: counts by equal parts of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace acceptq::facts {

struct CoursePart {
  std::uint32_t index = 0;       // it begins index * part_ns after the beginning
  std::uint64_t attempts = 0;    // to connect, that began in it
  std::uint64_t refused = 0;     // packets, as the listener's ledger counted them
  std::uint64_t unanswered = 0;  // SYNs (packets) of it that got no answer
  std::uint64_t unheard = 0;     // SYN-ACKs (packets) that were repeated though the ACK had come
  std::uint64_t resets = 0;      // by the server: of SYNs, and of handshakes just completed
  std::uint64_t slow = 0;        // attempts that began in it and took 1 s or more to get through

  friend bool operator==(const CoursePart&, const CoursePart&) = default;
};

inline constexpr std::uint32_t kMostCourseParts = 64;

struct HandshakeCourse {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;                  // by the same clock
  std::optional<std::int64_t> realtime_ns;  // of the beginning, since 1970
  std::int64_t part_ns = 100'000'000;
  std::vector<CoursePart>
      parts;  // by index, below kMostCourseParts; those without anything left out

  friend bool operator==(const HandshakeCourse&, const HandshakeCourse&) = default;
};

// So many more at that time. Parts become twice as long as often as it takes to have it among them;
// what comes before the beginning is of the first.
void add_to_course(std::int64_t at_ns, std::uint64_t CoursePart::* what, HandshakeCourse& course,
                   std::uint64_t count = 1);
// Two parts of it are one from here on.
void coarsen(HandshakeCourse& course);
// Those of another server; of the same beginning.
void merge(HandshakeCourse others, HandshakeCourse& course);

[[nodiscard]] CoursePart total(const HandshakeCourse& course);

}  // namespace acceptq::facts
