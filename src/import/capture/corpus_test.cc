// Captures of real kernels, whose truth is known: tests/data/captures/record.py made them.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"
#include "import/capture/read_capture.h"

namespace acceptq::imports::capture {
namespace {

using facts::Captured;
using facts::CaptureSide;

facts::Observation read(const std::string& name) {
  const std::string path = std::string(ACCEPTQ_SOURCE_DIR "/tests/data/captures/") + name;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << path;
  DescriptorStream stream(fd.get());
  const Result<facts::Observation> observation = read_capture(stream, name);
  EXPECT_TRUE(observation) << observation.error().message();
  return observation.value_or(facts::Observation{});
}

// Of the server with that endpoint.
facts::Ledger ledger(const std::string& name, const std::string& address, std::uint16_t port) {
  const facts::Observation observation = read(name);
  for (const facts::Ledger& ledger : observation.ledgers) {
    if (ledger.address.to_string() == address && ledger.port == port) return ledger;
  }
  ADD_FAILURE() << name << ": nothing of " << address << ":" << port;
  facts::Ledger none;
  none.captured.emplace();
  return none;
}

// What happened when is the same as what happened.
TEST(CaptureCorpus, TheCourseOfTimeAddsUp) {
  for (const char* name :
       {"full-at-syn.server.pcap", "full-at-ack.any.pcap", "filtered.client.pcap",
        "closed.server.pcap", "reset.server.pcap", "translated.any.pcap", "healthy.any.pcap.zst",
        "flood.server.pcap.gz", "loopback.any.pcap"}) {
    for (const facts::Ledger& ledger : read(name).ledgers) {
      const Captured& captured = *ledger.captured;
      ASSERT_TRUE(ledger.course) << name;
      const facts::CoursePart all = facts::total(*ledger.course);
      EXPECT_EQ(all.attempts, captured.attempts) << name;
      EXPECT_EQ(all.unanswered, ledger.syn_unanswered) << name;
      EXPECT_EQ(all.unheard, captured.unheard_acks) << name;
      EXPECT_EQ(all.resets, captured.turned_away + captured.resets) << name;
    }
  }
}

TEST(CaptureCorpus, SaysWhenSynsGotNoAnswer) {
  const facts::HandshakeCourse course = *ledger("full-at-syn.server.pcap", "10.77.2.2", 80).course;
  EXPECT_EQ(course.part_ns, 200'000'000);
  std::vector<std::pair<std::uint32_t, std::uint64_t>> seen;
  for (const facts::CoursePart& part : course.parts) {
    if (part.unanswered > 0) seen.emplace_back(part.index, part.unanswered);
  }
  // Five clients, at 0, 1, 2, 3, 4, 5 and 7 s from 0.2 s on, the kernel's timers being late.
  std::uint64_t sum = 0;
  for (const auto& [index, count] : seen) sum += count;
  EXPECT_EQ(sum, 35U);
  EXPECT_EQ(seen.front().first, 1U);
  EXPECT_EQ(seen.front().second, 5U);
  EXPECT_GE(seen.back().first, 36U);
}

TEST(CaptureCorpus, AFullQueueAtSyns) {
  const std::pair<const char*, CaptureSide> files[] = {
      {"full-at-syn.client.pcap", CaptureSide::kClient},
      {"full-at-syn.server.pcap", CaptureSide::kServer},
      {"full-at-syn.server.pcapng", CaptureSide::kServer},
      {"full-at-syn.any.pcap", CaptureSide::kServer}};
  for (const auto& [name, side] : files) {
    const facts::Ledger seen = ledger(name, "10.77.2.2", 80);
    const Captured& captured = *seen.captured;
    EXPECT_EQ(captured.side, side) << name;
    EXPECT_EQ(captured.attempts, 7U) << name;
    EXPECT_EQ(captured.completed, 2U) << name;
    EXPECT_EQ(captured.never_answered, 5U) << name;
    EXPECT_EQ(captured.unanswered, 5U) << name;
    EXPECT_EQ(captured.unheard_acks, 0U) << name;
    EXPECT_EQ(captured.even_retries, true) << name << ": the client's kernel is 6.18";
    EXPECT_EQ(seen.syn_unanswered, 35U) << name << ": at 0, 1, 2, 3, 4, 5 and 7 s";
    EXPECT_EQ(seen.addresses, 1U) << name;
  }
}

// The same incident, captured at four places while the kernel's own ledger was kept: behind an
// ingress that puts its address in place of the clients'.
TEST(CaptureCorpus, AnIncidentIsTheSameFromEverywhere) {
  using enum facts::LedgerTerm;
  const auto text = read_file(ACCEPTQ_SOURCE_DIR "/tests/data/captures/incident.truth.json");
  ASSERT_TRUE(text);
  const auto truth = nlohmann::json::parse(*text);
  struct Place {
    const char* name;
    const char* address;
    std::uint16_t port;
    CaptureSide side;
  };
  const Place places[] = {{"incident.client.pcap", "10.77.1.1", 8080, CaptureSide::kClient},
                          {"incident.ingress.pcap", "10.77.2.2", 80, CaptureSide::kBetween},
                          {"incident.pod.pcap", "10.77.2.2", 80, CaptureSide::kServer},
                          {"incident.any.pcap", "10.77.2.2", 80, CaptureSide::kServer}};
  for (const Place& place : places) {
    ASSERT_EQ(read(place.name).ledgers.size(), 1U) << place.name;
    const facts::Ledger seen = ledger(place.name, place.address, place.port);
    EXPECT_EQ(seen.captured->side, place.side) << place.name;
    EXPECT_EQ(seen[kSynReceived], truth["syn_received"]) << place.name;
    EXPECT_EQ(seen.syn_unanswered, truth["syn_refused_accept_full"]) << place.name;
    EXPECT_EQ(seen[kAttemptsRefused], truth["attempts_refused"]) << place.name;
    EXPECT_EQ(seen[kAttemptsRecovered], truth["attempts_recovered"]) << place.name;
    EXPECT_EQ(seen.captured->completed, truth["ack_queued"]) << place.name;
    EXPECT_EQ(facts::total(*seen.course).slow, truth["attempts_recovered"]) << place.name;
  }
  EXPECT_EQ(ledger("incident.ingress.pcap", "10.77.2.2", 80).captured->translated_from,
            "10.77.1.1:8080");
}

// Captured in a tunnel and outside of it, beside the kernel's own ledger. Linux sends a SYN-ACK
// again where it refused the final ACK.
TEST(CaptureCorpus, AnIncidentIsTheSameInsideAndOutsideOfATunnel) {
  using enum facts::LedgerTerm;
  for (const std::string kind : {"vxlan", "geneve", "ipip"}) {
    const auto text = read_file(ACCEPTQ_SOURCE_DIR "/tests/data/captures/" + kind + ".truth.json");
    ASSERT_TRUE(text);
    const auto truth = nlohmann::json::parse(*text);
    const std::uint64_t unheard = truth.value("synack_retransmitted", std::uint64_t{0});
    for (const char* place : {"inside", "outside", "any"}) {
      const std::string name = kind + "." + place + ".pcap.gz";
      ASSERT_EQ(read(name).ledgers.size(), 1U) << name;
      const facts::Ledger seen = ledger(name, "10.80.0.2", 80);
      EXPECT_EQ(seen[kSynReceived], truth["syn_received"]) << name;
      EXPECT_EQ(seen.syn_unanswered, truth["syn_refused_accept_full"]) << name;
      EXPECT_EQ(seen[kSynackRetransmitted], unheard) << name;
      EXPECT_EQ(seen.captured->unheard_acks, unheard) << name;
      EXPECT_EQ(seen[kAttemptsRefused], truth["attempts_refused"]) << name;
      EXPECT_EQ(seen[kAttemptsRecovered], truth["attempts_recovered"]) << name;
      EXPECT_EQ(seen.captured->completed, truth["ack_queued"]) << name;
    }
    EXPECT_EQ(ledger(kind + ".any.pcap.gz", "10.80.0.2", 80).captured->side, CaptureSide::kServer);
  }
}

// As filters leave it: SYNs alone, what the clients sent, what the server sent.
TEST(CaptureCorpus, AFullQueueSeenInPart) {
  const facts::Ledger syns = ledger("full-at-syn.syns.pcap", "10.77.2.2", 80);
  EXPECT_EQ(syns.captured->attempts, 7U);
  EXPECT_EQ(syns.captured->unanswered, 5U)
      << "the two that were not repeated may have been answered";
  EXPECT_EQ(syns.syn_unanswered, 30U) << "and so may the last of each";
  EXPECT_EQ(syns.captured->never_answered, 5U) << "the next SYNs were not due";
  EXPECT_FALSE(syns.captured->holds_answers);
  const facts::Ledger questions = ledger("full-at-syn.questions.pcap", "10.77.2.2", 80);
  EXPECT_EQ(questions.captured->completed, 2U) << "the clients went on";
  EXPECT_EQ(questions.captured->never_answered, 5U);
  const facts::Observation answers = read("full-at-syn.answers.pcap");
  EXPECT_TRUE(answers.ledgers.empty());
  EXPECT_TRUE(std::ranges::any_of(answers.after.blind_spots, &facts::BlindSpot::unobserved));
}

TEST(CaptureCorpus, AFullQueueAtFinalAcks) {
  const std::pair<const char*, CaptureSide> files[] = {
      {"full-at-ack.client.pcap", CaptureSide::kClient},
      {"full-at-ack.server.pcap", CaptureSide::kServer},
      {"full-at-ack.any.pcap", CaptureSide::kServer},
      {"full-at-ack.merged.pcapng", CaptureSide::kServer}};
  for (const auto& [name, side] : files) {
    const facts::Ledger seen = ledger(name, "10.77.2.2", 80);
    const Captured& captured = *seen.captured;
    EXPECT_EQ(captured.side, side) << name;
    EXPECT_EQ(captured.attempts, 6U) << name;
    EXPECT_EQ(captured.completed, 2U) << name;
    EXPECT_EQ(captured.attempts_unheard, 4U) << name;
    EXPECT_EQ(captured.unheard_with_data, 8U) << name << ": two SYN-ACKs of each, 3 and 7 s on";
    EXPECT_EQ(captured.never_answered, 0U) << name;
  }
}

TEST(CaptureCorpus, APacketFilter) {
  const std::pair<const char*, CaptureSide> files[] = {
      {"filtered.client.pcap", CaptureSide::kClient},
      {"filtered.server.pcap", CaptureSide::kServer},
      {"filtered.any.pcap", CaptureSide::kServer}};
  for (const auto& [name, side] : files) {
    const Captured captured = *ledger(name, "10.77.2.2", 82).captured;
    EXPECT_EQ(captured.side, side) << name << ": by the other port of the address";
    EXPECT_EQ(captured.attempts, 6U) << name;
    EXPECT_EQ(captured.never_answered, 6U) << name;
    EXPECT_EQ(captured.pending, 0U) << name;
    EXPECT_EQ(ledger(name, "10.77.2.2", 81).captured->completed, 1U) << name;
  }
}

TEST(CaptureCorpus, AClosedPort) {
  for (const char* name : {"closed.client.pcap", "closed.server.pcap"}) {
    const facts::Ledger seen = ledger(name, "10.77.2.2", 83);
    EXPECT_EQ(seen.captured->attempts, 6U) << name;
    EXPECT_EQ(seen.captured->turned_away, 6U) << name;
    EXPECT_EQ(seen.syn_unanswered, 0U) << name;
  }
}

TEST(CaptureCorpus, AHealthyServer) {
  for (const char* name : {"healthy.client.pcap.gz", "healthy.any.pcap.zst"}) {
    for (const char* address : {"10.77.2.2", "fd77:2::2"}) {
      const facts::Ledger seen = ledger(name, address, 80);
      EXPECT_EQ(seen.captured->attempts, 12U) << name;
      EXPECT_EQ(seen.captured->completed, 12U) << name;
      EXPECT_EQ(seen[facts::LedgerTerm::kAttemptsRefused], 0U) << name;
      EXPECT_EQ(seen.captured->resets, 0U) << name;
    }
  }
}

// As of tcpdump and gzip that were killed together.
TEST(CaptureCorpus, ACompressedCaptureThatEndsInTheMiddle) {
  for (const char* name : {"healthy.client.pcap.gz", "healthy.any.pcap.zst"}) {
    const Result<std::string> file =
        read_file(std::string(ACCEPTQ_SOURCE_DIR "/tests/data/captures/") + name);
    ASSERT_TRUE(file) << name;
    const std::string half = file->substr(0, file->size() * 9 / 10);
    MemoryStream stream({reinterpret_cast<const std::uint8_t*>(half.data()), half.size()});
    const auto observation = read_capture(stream, name);
    // A frame of Zstandard this small is one block, which is there or not.
    if (!observation) {
      EXPECT_TRUE(std::string_view(name).ends_with(".zst")) << observation.error().message();
      continue;
    }
    EXPECT_GT(observation->ledgers.at(0).captured->completed, 0U) << name;
  }
}

TEST(CaptureCorpus, AServerThatHangsUp) {
  const Captured captured = *ledger("reset.server.pcap", "10.77.2.2", 80).captured;
  EXPECT_EQ(captured.attempts, 6U);
  EXPECT_EQ(captured.resets, 6U);
}

TEST(CaptureCorpus, AFlood) {
  const Captured captured = *ledger("flood.server.pcap.gz", "10.77.2.2", 80).captured;
  EXPECT_EQ(captured.side, CaptureSide::kServer);
  EXPECT_EQ(captured.attempts, 160U);
  EXPECT_EQ(captured.half_open, 150U);
  EXPECT_EQ(captured.half_open_silent, 0U) << "their requests are kept";
  EXPECT_EQ(captured.completed, 10U);
}

// The kernel counted the cookies that it sent (record.py).
TEST(CaptureCorpus, SynCookies) {
  using enum facts::LedgerTerm;
  const auto truth = [](const std::string& name) {
    const auto text = read_file(ACCEPTQ_SOURCE_DIR "/tests/data/captures/" + name + ".truth.json");
    return nlohmann::json::parse(text.value_or("{}")).value("cookies", 0.0);
  };
  const facts::Ledger always = ledger("cookies-always.server.pcap.gz", "10.77.2.2", 80);
  ASSERT_TRUE(always[kSynCookie]);
  EXPECT_NEAR(static_cast<double>(*always[kSynCookie]), truth("cookies-always"), 2);
  EXPECT_EQ(always.captured->no_cookies, 0U);
  for (const char* name : {"cookies-full.server.pcap.gz", "cookies-full.client.pcap.gz"}) {
    const facts::Ledger full = ledger(name, "10.77.2.2", 80);
    ASSERT_TRUE(full[kSynCookie]) << name;
    // Four of them went to SYNs without options, which tell nothing.
    EXPECT_NEAR(static_cast<double>(*full[kSynCookie]), truth("cookies-full") - 4, 2) << name;
    EXPECT_GT(full.captured->no_cookies, 0U) << name;
  }
}

TEST(CaptureCorpus, NoCookiesWhereThereWereNone) {
  std::size_t ledgers = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ACCEPTQ_SOURCE_DIR "/tests/data/captures")) {
    const std::string name = entry.path().filename();
    if (name.find(".pcap") == std::string::npos || name.starts_with("cookies-always") ||
        name.starts_with("cookies-full")) {
      continue;
    }
    for (const facts::Ledger& ledger : read(name).ledgers) {
      EXPECT_FALSE(ledger[facts::LedgerTerm::kSynCookie]) << name;
      ++ledgers;
    }
  }
  EXPECT_GT(ledgers, 25U);
}

// The router's two interfaces show each SYN twice, with two destinations.
TEST(CaptureCorpus, AnAddressThatIsTranslated) {
  const facts::Observation observation = read("translated.any.pcap");
  ASSERT_EQ(observation.ledgers.size(), 1U);
  const facts::Ledger& seen = observation.ledgers[0];
  EXPECT_EQ(facts::host_and_port(seen.address, seen.port), "10.77.2.2:80");
  EXPECT_EQ(seen.captured->translated_from, "10.77.1.1:8080");
  EXPECT_EQ(seen.captured->side, CaptureSide::kBetween);
  EXPECT_EQ(seen.captured->attempts, 5U);
  EXPECT_EQ(seen.captured->completed, 2U);
  EXPECT_EQ(seen.captured->never_answered, 3U);
}

TEST(CaptureCorpus, AHostThatSpeaksToItself) {
  for (const char* name : {"loopback.lo.pcap", "loopback.any.pcap"}) {
    const Captured captured = *ledger(name, "127.0.0.1", 80).captured;
    EXPECT_EQ(captured.side, CaptureSide::kBoth) << name;
    EXPECT_EQ(captured.attempts, 4U) << name;
    EXPECT_EQ(captured.completed, 1U) << name;
    EXPECT_EQ(captured.never_answered, 3U) << name;
  }
}

}  // namespace
}  // namespace acceptq::imports::capture
