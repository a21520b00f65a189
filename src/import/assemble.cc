#include "import/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "import/backlogs.h"
#include "import/hints.h"
#include "import/missing.h"
#include "import/scene.h"

namespace acceptq::imports {
namespace {

using facts::Listener;
using facts::Namespace;
using facts::Observation;

// One socket in the tables of a scene, in their order.
struct Sightings {
  std::vector<const ListenerRow*> rows;
  std::vector<const Placed*> tables;
  const ListenerRow* owners = nullptr;  // the last one that shows who holds it
};

// By socket_of(), and of a group of SO_REUSEPORT by its place among them.
std::map<std::pair<std::string, std::size_t>, Sightings> sightings_of(const Scene& scene) {
  std::map<std::pair<std::string, std::size_t>, Sightings> all;
  for (const Placed& placed : scene.tables) {
    std::map<std::string, std::size_t> ordinals;
    for (const ListenerRow& row : std::get<ListenerTable>(placed.block->piece).rows) {
      const std::string socket = socket_of(row.listener);
      Sightings& seen = all[{socket, ordinals[socket]++}];
      seen.rows.push_back(&row);
      if (!row.owners.empty()) seen.owners = &row;
      seen.tables.push_back(&placed);
    }
  }
  // netstat beside ss is no second sample: it lacks the limits.
  for (auto& [socket, seen] : all) {
    const auto has_limit = [](const ListenerRow* row) { return row->listener.limit.has_value(); };
    if (std::ranges::none_of(seen.rows, has_limit)) continue;
    Sightings kept;
    for (std::size_t i = 0; i < seen.rows.size(); ++i) {
      if (!has_limit(seen.rows[i])) continue;
      kept.rows.push_back(seen.rows[i]);
      kept.tables.push_back(seen.tables[i]);
    }
    kept.owners = seen.owners;
    seen = std::move(kept);
  }
  return all;
}

std::optional<double> between(const Placed& first, const Placed& last) {
  constexpr double kYear = 365 * 86400.0;
  const Moment& from = first.block->moment;
  const Moment& to = last.block->moment;
  if (first.text == last.text) return seconds_between(from, to);
  // Only dates tell the time between two texts.
  if (!from.at || !to.at || *from.at < kYear || *to.at <= *from.at) return std::nullopt;
  return *to.at - *from.at;
}

// Two samples of one form, first and last.
struct Compared {
  const Placed* first = nullptr;
  const Placed* last = nullptr;
};

const CounterSample& sample_of(const Placed& placed) {
  return std::get<CounterSample>(placed.block->piece);
}

bool tells(const CounterSample& sample, const std::string& name) {
  return std::ranges::any_of(sample.counters,
                             [&](const auto& counter) { return counter.first == name; });
}

bool share_a_counter(const CounterSample& first, const CounterSample& last) {
  return std::ranges::any_of(first.counters,
                             [&](const auto& counter) { return tells(last, counter.first); });
}

std::vector<Compared> compared_counters(const Scene& scene) {
  std::map<std::string, Compared> forms;
  for (const Placed& placed : scene.counters) {
    if (sample_of(placed).increments) continue;
    Compared& form = forms[sample_of(placed).form];
    (form.first == nullptr ? form.first : form.last) = &placed;
  }
  std::vector<Compared> all;
  for (const auto& [name, form] : forms) {
    if (form.last == nullptr) continue;
    // Lines that two filters left of one sample are two parts of it.
    if (!share_a_counter(sample_of(*form.first), sample_of(*form.last))) continue;
    // The same sample, pasted twice, or those of two hosts. Where the time is told they are of one.
    const bool same = sample_of(*form.first).counters == sample_of(*form.last).counters;
    const bool told = between(*form.first, *form.last).has_value();
    const bool one_text = form.first->text == form.last->text;
    const bool another = one_text && !names_one(scene.context) &&
                         !may_be_compared(form.first->block->moment, form.last->block->moment);
    if (!told && (same || another)) continue;
    all.push_back(form);
  }
  return all;
}

// One time for all of them, or none: a rate is over one time.
std::optional<double> common_time(const std::vector<std::optional<double>>& times) {
  constexpr double kApart = 0.1;
  if (times.empty() || !times.front()) return std::nullopt;
  const double first = *times.front();
  const bool alike = std::ranges::all_of(times, [&](const std::optional<double>& time) {
    return time && std::abs(*time - first) <= std::max(1.0, first * kApart);
  });
  return alike ? std::optional(first) : std::nullopt;
}

// Whether a table holds what its namespace has: not what a filter left of it.
bool is_whole(const Placed& placed) {
  const std::string& command = placed.block->command;
  const bool filtered =
      command.find('|') != std::string::npos || command.find("sport") != std::string::npos ||
      command.find("dport") != std::string::npos || command.find("src ") != std::string::npos;
  return std::get<ListenerTable>(placed.block->piece).has_head && !filtered;
}

// Of "pod shop/web-1", as entered_by() labels it.
std::optional<facts::Pod> pod_of(std::string_view context) {
  if (!context.starts_with("pod ")) return std::nullopt;
  const std::string_view name = context.substr(4);
  const std::size_t slash = name.find('/');
  facts::Pod pod;
  if (slash != std::string_view::npos) pod.ns = std::string(name.substr(0, slash));
  pod.name = std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
  return pod;
}

std::optional<facts::Container> container_of(std::string_view context) {
  if (!context.starts_with("container ")) return std::nullopt;
  return facts::Container{.id = std::string(context.substr(10))};
}

class Assembly {
 public:
  explicit Assembly(std::vector<Source> sources) : sources_(std::move(sources)) {}

  Imported run() {
    out_.imported = true;
    out_.after.scan_method = "imported";
    join_places(sources_);
    merge_contexts();
    std::vector<std::string> contexts;
    std::map<std::string, std::vector<Placed>> blocks;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      for (const Block& block : sources_[i].recognised.blocks) {
        auto& of_context = blocks[block.context];
        if (of_context.empty()) contexts.push_back(block.context);
        of_context.push_back({.block = &block, .file = sources_[i].name, .text = i});
      }
    }
    for (const std::string& context : contexts) {
      const std::vector<Scene> scenes = scenes_of(context, blocks[context]);
      for (const Scene& scene : scenes) add_scene(scene, scenes.size() > 1);
      add_hints(blocks[context], out_.after.blind_spots);
    }
    // Where something was run in a pod, the prompt's host is whoever ran it.
    const bool of_host =
        contexts.size() == 1 && (contexts.front().empty() || contexts.front().starts_with("host "));
    add_host(of_host);
    for (const Source& source : sources_) {
      for (const Block& block : source.recognised.blocks) {
        const auto* remark = std::get_if<Remark>(&block.piece);
        if (remark == nullptr) continue;
        out_.after.blind_spots.push_back({.id = "AQ622",
                                          .scope = place(source.name, block.line),
                                          .reason = remark->what,
                                          .cost = remark->meaning});
      }
      for (const Problem& problem : source.recognised.problems) {
        out_.after.blind_spots.push_back(unread(place(source.name, problem.line), problem.reason));
      }
    }
    out_.before.host = out_.after.host;
    out_.before.scan_method = out_.after.scan_method;
    facts::normalize(out_.before);
    facts::normalize(out_.after);
    return {.observation = std::move(out_), .configs = std::move(configs_)};
  }

 private:
  // Text without a prompt, in a ticket whose prompts name one host, is that host's.
  void merge_contexts() {
    std::set<std::string> named;
    for (const Source& source : sources_) {
      for (const Block& block : source.recognised.blocks) named.insert(block.context);
    }
    named.erase("");
    if (named.size() != 1 || !named.begin()->starts_with("host ")) return;
    for (Source& source : sources_) {
      for (Block& block : source.recognised.blocks) block.context = *named.begin();
    }
  }

  void add_host(bool of_host) {
    facts::Host& host = out_.after.host;
    std::set<std::string> kernels;
    for (const Source& source : sources_) {
      for (const Block& block : source.recognised.blocks) {
        const auto* line = std::get_if<HostLine>(&block.piece);
        if (line == nullptr) continue;
        kernels.insert(line->kernel);
        host.kernel = line->kernel;
        if (!line->name.empty()) host.name = line->name;
      }
      if (host.name.empty() && of_host) host.name = source.recognised.host;
    }
    // Of two hosts neither is the one.
    if (kernels.size() > 1) host = {};
  }

  void add_scene(const Scene& scene, bool one_of_several) {
    if (scene.tables.empty() && scene.counters.empty() && scene.settings.empty()) return;
    Namespace after;
    after.id = NetnsId(++namespaces_);
    facts::Pasted& pasted = after.pasted.emplace();
    pasted.label = scene.context;
    if (pasted.label.empty()) {
      pasted.label = !scene.tables.empty()     ? scene.tables.front().file
                     : !scene.counters.empty() ? scene.counters.front().file
                                               : sources_.front().name;
    }
    if (one_of_several && !scene.tables.empty()) {
      pasted.label += fmt::format(" from line {} on", scene.tables.front().block->line);
    }
    pasted.pod = pod_of(scene.context);
    pasted.container = container_of(scene.context);
    pasted.all_listeners = std::ranges::any_of(scene.tables, is_whole);
    pasted.superseded = scene.superseded;
    pasted.addresses = scene.addresses;
    Namespace before = after;
    std::vector<std::optional<double>> times;
    add_counters(scene, before, after, times);
    add_listeners(scene, after.id, times);
    after.pasted->compared = !times.empty();
    after.pasted->seconds = common_time(times);
    if (after.pasted->seconds) out_.seconds = std::max(out_.seconds, *after.pasted->seconds);
    add_settings(scene, after);
    add_certain_limits(after);
    add_backlogs(scene, after, out_.after);
    for (const Placed& config : scene.configs) {
      configs_.push_back({after.id, std::get<ServerConfig>(config.block->piece).files});
    }
    before.pasted = after.pasted;
    before.sysctls = after.sysctls;
    add_missing(out_, scene, before, after);
    out_.before.namespaces.push_back(std::move(before));
    out_.after.namespaces.push_back(std::move(after));
  }

  void add_counters(const Scene& scene, Namespace& before, Namespace& after,
                    std::vector<std::optional<double>>& times) {
    std::vector<const Placed*> totals;
    std::vector<const Placed*> increments;
    for (const Placed& placed : scene.counters) {
      (sample_of(placed).increments ? increments : totals).push_back(&placed);
    }
    // Totals tell more; increments between them are in their growth.
    if (totals.empty()) {
      add_increments(increments, before, after, times);
      return;
    }
    for (const Placed* placed : totals) {
      for (const auto& [name, value] : sample_of(*placed).counters) after.counters[name] = value;
      after.counters_source = place(placed->file, placed->block->line);
    }
    for (const Compared& form : compared_counters(scene)) {
      times.push_back(between(*form.first, *form.last));
      for (const auto& [name, value] : sample_of(*form.last).counters) after.counters[name] = value;
      for (const auto& [name, value] : sample_of(*form.first).counters) {
        if (tells(sample_of(*form.last), name)) before.counters[name] = value;
      }
      after.counters_source = place(form.last->file, form.last->block->line);
    }
  }

  // What the last one shows has grown since the one before it, which may not be in the text.
  void add_increments(const std::vector<const Placed*>& samples, Namespace& before,
                      Namespace& after, std::vector<std::optional<double>>& times) {
    if (samples.empty() || sample_of(*samples.back()).counters.empty()) return;
    const Placed& last = *samples.back();
    for (const auto& [name, value] : sample_of(last).counters) {
      before.counters[name] = 0;
      after.counters[name] = value;
    }
    // What has not grown is not printed.
    for (const char* name : {"TcpExtListenOverflows", "TcpExtListenDrops"}) {
      const bool is_cut = last.block->command.find('|') != std::string::npos;
      if (is_cut || after.counters.contains(name)) continue;
      before.counters[name] = 0;
      after.counters[name] = 0;
    }
    after.pasted->increments = true;
    after.counters_source = place(last.file, last.block->line);
    times.push_back(samples.size() > 1 ? between(*samples[samples.size() - 2], last)
                                       : std::nullopt);
    if (times.back()) return;
    out_.after.blind_spots.push_back(
        {.id = "AQ620",
         .scope = after.pasted->label,
         .reason = "nstat without -a prints what has grown since its user ran it last, and when "
                   "that was is not told",
         .cost = "no rates are known, and it may be long ago; add `nstat -az | grep Listen` twice, "
                 "10 s apart, with `date` before each"});
  }

  void add_listeners(const Scene& scene, NetnsId netns, std::vector<std::optional<double>>& times) {
    std::vector<std::optional<double>> of_tables;
    for (const auto& [socket, seen] : sightings_of(scene)) {
      const ListenerRow& last = *seen.rows.back();
      Listener listener = last.listener;
      listener.netns = netns;
      listener.pasted_at = place(seen.tables.back()->file, last.line);
      if (seen.owners != nullptr) {
        listener.owners = seen.owners->listener.owners;
        add_owners(*seen.owners, scene.context, listener);
      }
      if (seen.rows.size() > 1) {
        Listener first = seen.rows.front()->listener;
        first.netns = netns;
        first.pasted_at = listener.pasted_at;
        first.owners = listener.owners;
        out_.before.listeners.push_back(std::move(first));
        of_tables.push_back(between(*seen.tables.front(), *seen.tables.back()));
        add_samples(seen, listener);
      }
      out_.after.listeners.push_back(std::move(listener));
    }
    if (of_tables.empty()) return;
    times.push_back(common_time(of_tables));
  }

  void add_samples(const Sightings& seen, const Listener& listener) {
    if (seen.rows.size() < 3) return;
    facts::QueueSamples& samples = out_.samples[facts::listener_key(listener)];
    for (const ListenerRow* row : seen.rows) {
      const QueueLength length = row->listener.accept_queue_len;
      ++samples.count;
      samples.longest = std::max(samples.longest, length);
      if (listener.limit && facts::sampled_full(length, *listener.limit)) ++samples.full;
    }
  }

  // Two containers have a pid 1 each: of a number that means two programs, the first is kept.
  void add_owners(const ListenerRow& row, const std::string& context, Listener& listener) {
    for (const facts::Process& owner : row.owners) {
      const auto known = processes_.try_emplace(owner.pid, owner.comm);
      if (known.first->second != owner.comm) {
        std::erase_if(listener.owners,
                      [&](const facts::OwnerRef& ref) { return ref.pid == owner.pid; });
      } else if (known.second) {
        facts::Process& process = out_.after.processes.emplace_back(owner);
        process.pod = pod_of(context);
        process.container = container_of(context);
      }
    }
  }

  void add_settings(const Scene& scene, Namespace& ns) {
    std::vector<std::int64_t> limits;
    for (const Listener& listener : out_.after.listeners) {
      const bool counts =
          listener.netns == ns.id && listener.limit && listener.protocol == facts::Protocol::kTcp;
      if (counts) limits.push_back(listener.limit->value());
    }
    for (const char* name : facts::kListenSysctls) {
      std::vector<PlacedSetting> of_name;
      std::ranges::copy_if(scene.settings, std::back_inserter(of_name),
                           [&](const PlacedSetting& one) { return one.setting.name == name; });
      const Chosen chosen = choose_value(name, of_name, scene.first_table, limits);
      if (chosen.value) {
        ns.sysctls[name] = {
            .state = facts::SysctlState::kValue, .value = *chosen.value, .reason = {}};
      }
      if (!chosen.doubt.empty()) out_.after.blind_spots.push_back(doubt(ns, chosen.doubt));
    }
  }

  // netstat has no limits. But listen() grants no more than somaxconn, and limit + 1 fit: of a
  // queue in which somaxconn + 1 wait, the limit is somaxconn.
  void add_certain_limits(const Namespace& ns) {
    const auto somaxconn = ns.sysctls.find(facts::kSomaxconn);
    if (somaxconn == ns.sysctls.end() || somaxconn->second.value < 1) return;
    for (Listener& listener : out_.after.listeners) {
      const bool unknown =
          listener.netns == ns.id && !listener.limit && listener.protocol == facts::Protocol::kTcp;
      const std::int64_t fit = somaxconn->second.value + 1;
      if (!unknown || std::int64_t{listener.accept_queue_len.value()} != fit) continue;
      listener.limit = QueueLimit(static_cast<std::uint32_t>(somaxconn->second.value));
      out_.after.blind_spots.push_back(
          {.id = "AQ620",
           .scope = listener.pasted_at,
           .reason =
               fmt::format("the limit of {} is not in the text, but {} wait, and where {} is "
                           "{} no more fit: that is its limit",
                           facts::listener_endpoint(listener), fit, facts::kSomaxconn, fit - 1),
           .cost = "unless somaxconn was higher when the server was started; `ss -lnt` tells"});
    }
  }

  std::vector<Source> sources_;
  Observation out_;
  std::vector<ServerFiles> configs_;
  std::uint64_t namespaces_ = 0;
  std::map<Pid, std::string> processes_;
};

}  // namespace

Imported assemble(std::vector<Source> sources) { return Assembly(std::move(sources)).run(); }

}  // namespace acceptq::imports
