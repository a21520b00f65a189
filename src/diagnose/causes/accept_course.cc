#include "diagnose/causes/accept_course.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "diagnose/causes/accept_time.h"

namespace acceptq::diagnose {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr std::size_t kFewestParts = 4;

// By part of the time.
using Looks = std::vector<std::uint64_t>;

std::uint64_t sum(const Looks& looks) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : looks) all += count;
  return all;
}

struct Counted {
  double part_s = 0;
  Looks all = Looks(facts::kMostLookParts);  // up to the last part with any, once they are counted
  std::array<Looks, kWaitClasses> classes;

  Counted() { classes.fill(all); }
};

void make_half(Looks& looks) {
  Looks halved((looks.size() + 1) / 2);
  for (std::size_t i = 0; i < looks.size(); ++i) halved[i / 2] += looks[i];
  looks = std::move(halved);
}

// Where looks were farther apart than parts are long, longer parts tell more.
void fit_parts(Counted& counted) {
  constexpr std::size_t kOneInSoMany = 4;
  const auto has_gaps = [&] {
    const auto gaps = static_cast<std::size_t>(std::ranges::count(counted.all, 0U));
    return gaps * kOneInSoMany > counted.all.size();
  };
  while (has_gaps() && counted.all.size() >= 2 * kFewestParts) {
    make_half(counted.all);
    std::ranges::for_each(counted.classes, make_half);
    counted.part_s *= 2;
  }
}

Counted count_looks(const facts::LookParts& parts_of_time, const AcceptTime& time,
                    const facts::Listener& listener) {
  Counted counted;
  counted.part_s = static_cast<double>(parts_of_time.part_ns) / kNsPerSecond;
  for (const facts::ThreadWatch* thread : time.threads) {
    for (const facts::Wait& wait : thread->waits) {
      Looks& of_class = counted.classes.at(static_cast<std::size_t>(classify(wait, listener)));
      // Of a recording there may be more.
      const std::size_t parts = std::min(wait.when.size(), of_class.size());
      for (std::size_t i = 0; i < parts; ++i) {
        of_class[i] += wait.when[i];
        counted.all[i] += wait.when[i];
      }
    }
  }
  const auto last = std::find_if(counted.all.rbegin(), counted.all.rend(),
                                 [](std::uint64_t count) { return count > 0; });
  const auto parts = static_cast<std::size_t>(last.base() - counted.all.begin());
  counted.all.resize(parts);
  for (Looks& of_class : counted.classes) of_class.resize(parts);
  fit_parts(counted);
  return counted;
}

AcceptCourse::Line line_of(WaitClass what, const Looks& looks, const Counted& counted) {
  const std::size_t parts = counted.all.size();
  AcceptCourse::Line line{
      .what = std::string(wait_class_name(what)),
      .words = std::string(wait_class_words(what)),
      .share = static_cast<double>(sum(looks)) / static_cast<double>(sum(counted.all)),
      .shares = std::vector<std::optional<double>>(parts)};
  for (std::size_t i = 0; i < parts; ++i) {
    if (counted.all[i] == 0) continue;
    line.shares[i] = static_cast<double>(looks[i]) / static_cast<double>(counted.all[i]);
  }
  return line;
}

}  // namespace

std::optional<AcceptCourse> accept_course(const facts::Observation& observation,
                                          const ListenerState& state) {
  constexpr double kWorthShowing = 0.05;
  const auto acceptors = observation.accept_evidence.acceptors.find(state.report.key);
  if (acceptors == observation.accept_evidence.acceptors.end()) return std::nullopt;
  const std::optional<facts::LookParts>& time = acceptors->second.parts;
  const auto who = accept_time(observation, state);
  if (!time || time->part_ns <= 0 || !who) return std::nullopt;
  const Counted counted = count_looks(*time, *who, *state.listener);
  if (counted.all.size() < kFewestParts) return std::nullopt;
  AcceptCourse course{.from_s = (static_cast<double>(time->begin_ns) -
                                 static_cast<double>(observation.before.monotonic_ns)) /
                                kNsPerSecond,
                      .part_s = counted.part_s,
                      .lines = {}};
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    AcceptCourse::Line line = line_of(static_cast<WaitClass>(i), counted.classes.at(i), counted);
    if (line.share >= kWorthShowing) course.lines.push_back(std::move(line));
  }
  std::ranges::stable_sort(course.lines, std::ranges::greater{}, &AcceptCourse::Line::share);
  return course;
}

}  // namespace acceptq::diagnose
