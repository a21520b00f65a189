#include "collect/queue_sampler.h"

#include <algorithm>

#include "collect/observation_parts.h"

namespace acceptq::collect {

void QueueSampler::begin_anew(Pace pace) {
  pace_ = pace;
  samples_.clear();
}

void QueueSampler::see(const facts::Snapshot& latest) {
  watched_ = watched_namespaces(latest);
  go_on(latest.monotonic_ns, latest.listeners);
}

void QueueSampler::tend(std::int64_t now_ns) {
  newest_ = source_.sample(watched_);
  newest_ns_ = now_ns;
  for (const facts::Listener& listener : newest_) add_sample(listener, samples_);
  go_on(now_ns, newest_);
  pace_.done(now_ns, source_.now_ns());
}

void QueueSampler::go_on(std::int64_t at_ns, const std::vector<facts::Listener>& listeners) {
  if (line_ns_ == 0) return;
  Moment& moment = moments_.emplace_back(Moment{.at_ns = at_ns, .lengths = {}});
  for (const facts::Listener& listener : listeners) {
    if (listener.accept_queue_len.value() == 0) continue;
    moment.lengths.emplace_back(facts::listener_key(listener), listener.accept_queue_len);
  }
  forget_before(at_ns - line_ns_);
}

void QueueSampler::put(Mark /*from*/, Mark /*to*/, facts::Observation& observation) {
  observation.samples = std::exchange(samples_, {});
  forget_before(observation.before.monotonic_ns);
  observation.timeline = lines();
}

void QueueSampler::forget_before(std::int64_t at_ns) {
  while (!moments_.empty() && moments_.front().at_ns < at_ns) moments_.pop_front();
}

// A queue that is missing in a moment was empty.
std::map<std::string, std::vector<facts::QueuePoint>> QueueSampler::lines() const {
  std::map<std::string, std::vector<facts::QueuePoint>> lines;
  for (const Moment& moment : moments_) {
    for (const auto& [key, length] : moment.lengths) lines[key];
  }
  for (auto& [key, points] : lines) {
    points.reserve(moments_.size());
    for (const Moment& moment : moments_) {
      const auto seen = std::ranges::find(moment.lengths, key, &Moment::Length::first);
      points.push_back({.at_ns = moment.at_ns,
                        .length = seen != moment.lengths.end() ? seen->second : QueueLength(0)});
    }
  }
  return lines;
}

}  // namespace acceptq::collect
