#include "collect/scan_work.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "collect/netlink/sock_diag.h"
#include "collect/netns/enter.h"
#include "collect/netns/sysctls.h"
#include "collect/parallel.h"
#include "collect/procfs/counters.h"
#include "evidence/proc_net.h"

namespace acceptq::collect {
namespace {

constexpr const char* kOwnThread = "/proc/thread-self";
constexpr const char* kOwnNet = "/proc/thread-self/net";  // /proc/net is the main thread's

std::string scope_of(const NamespaceWork& work) {
  return "netns:" + std::to_string(work.handle.id.value());
}

void take_listeners(std::vector<facts::Listener> listeners, NamespaceWork& work) {
  for (facts::Listener& listener : listeners) listener.netns = work.handle.id;
  std::ranges::move(listeners, std::back_inserter(work.listeners));
}

// Where sock_diag has no handler for the family, /proc/net still shows lengths, though no limits.
void take_proc_net(const evidence::ProcNetFile& file, const Error& why, bool only_unowned,
                   NamespaceWork& work) {
  const Result<std::string> text = read_file(std::string(kOwnNet) + "/" + file.name);
  Result<std::vector<facts::Listener>> listeners =
      text ? file.parse(*text) : Result<std::vector<facts::Listener>>(fail(text.error()));
  if (!listeners) {
    work.blind_spots.push_back({.id = "AQ604",
                                .scope = scope_of(work),
                                .reason = why.message() + "; " + listeners.error().message(),
                                .cost = std::string("its ") + file.what + " were not seen",
                                .unobserved = true});
    return;
  }
  take_listeners(std::move(*listeners), work);
  // The module is missing on the whole host: one blind spot for all namespaces and both families.
  work.blind_spots.push_back(
      {.id = "AQ604",
       .scope = "host",
       .reason = why.message(),
       .cost = std::string(file.lacks) + " of " + (only_unowned ? "such " : "") + file.what +
               (only_unowned ? " as no process holds (the kernel's own)" : "") + " are not known"});
}

void take_dump(Result<netlink::Dump> dump, const evidence::ProcNetFile& fallback, bool only_unowned,
               NamespaceWork& work) {
  if (!dump && dump.error().code == ErrorCode::kUnsupported) {
    take_proc_net(fallback, dump.error(), only_unowned, work);
    return;
  }
  if (!dump) {
    work.blind_spots.push_back({.id = "AQ603",
                                .scope = scope_of(work),
                                .reason = dump.error().message(),
                                .cost = std::string("its ") + fallback.what + " were not seen",
                                .unobserved = true});
    return;
  }
  if (dump->interrupted) {
    work.blind_spots.push_back(
        {.id = "AQ603",
         .scope = scope_of(work),
         .reason = std::string("sockets changed during every one of several dumps of its ") +
                   fallback.what,
         .cost = "a listener that opened or closed meanwhile may be missing"});
  }
  take_listeners(std::move(dump->listeners), work);
}

// Names of the interfaces that listeners are bound to, which have one only in their namespace.
void name_devices(NamespaceWork& work) {
  for (facts::Listener& listener : work.listeners) {
    std::array<char, IF_NAMESIZE> name{};
    if (listener.ifindex && ::if_indextoname(*listener.ifindex, name.data()) != nullptr) {
      listener.device = name.data();
    }
  }
}

void dump_listeners(bool only_unowned, NamespaceWork& work) {
  take_dump(netlink::dump_tcp_listeners(AF_INET), evidence::kProcNetTcp, only_unowned, work);
  take_dump(netlink::dump_tcp_listeners(AF_INET6), evidence::kProcNetTcp6, only_unowned, work);
  take_dump(netlink::dump_unix_listeners(), evidence::kProcNetUnix, only_unowned, work);
  name_devices(work);
}

void take_counters(const std::string& net_dir, Result<procfs::Counters> counters,
                   NamespaceWork& work) {
  if (!counters) {
    work.blind_spots.push_back({.id = "AQ606",
                                .scope = scope_of(work),
                                .reason = counters.error().message(),
                                .cost = "whether packets were refused in it is not known"});
    return;
  }
  work.facts.counters = std::move(*counters);
  work.facts.counters_source = net_dir + "/netstat";
}

// What stays unseen where a namespace may not be entered: only what was wanted from it, as the
// iterator and the processes' counters show the rest.
std::string unseen(const Want& want) {
  std::vector<std::string_view> what;
  if (want.listeners) {
    what.emplace_back(want.only_unowned ? "its listeners that no process holds" : "its listeners");
  }
  if (want.counters) what.emplace_back("its counters");
  if (want.sysctls) what.emplace_back("its sysctls");
  const std::string_view last = what.back();
  what.pop_back();
  return fmt::format("{}{}{} were not seen", fmt::join(what, ", "), what.empty() ? "" : " and ",
                     last);
}

void visit(const Want& want, const Status& entered,
           const std::map<std::string, facts::Sysctl>* host_sysctls, NamespaceWork& work) {
  if (!entered) {
    // Gone, or its number is another's by now: it ended, and there is nothing to see.
    if (entered.error().code == ErrorCode::kNotFound ||
        entered.error().code == ErrorCode::kInterrupted) {
      work.gone = true;
      return;
    }
    work.blind_spots.push_back({.id = "AQ602",
                                .scope = scope_of(work),
                                .reason = entered.error().message(),
                                .cost = unseen(want),
                                .unobserved = want.listeners});
    return;
  }
  work.identity = netns::net_identity(kOwnThread);
  if (want.listeners) dump_listeners(want.only_unowned, work);
  if (want.counters) {
    procfs::CounterParser parser;
    take_counters(kOwnNet, parser.read(kOwnNet), work);
  }
  if (want.sysctls) {
    work.facts.sysctls = netns::read_listen_sysctls(host_sysctls);
    if (!work.facts.cookie) work.facts.cookie = netns::netns_cookie();
  }
}

}  // namespace

std::vector<NamespaceWork> start_work(std::vector<netns::Handle> handles) {
  std::vector<NamespaceWork> work;
  work.reserve(handles.size());
  for (netns::Handle& handle : handles) {
    NamespaceWork item;
    item.facts.id = handle.id;
    item.facts.is_host = handle.is_host;
    item.facts.held_by = handle.held_by;
    item.facts.mount_path = handle.mount_path;
    item.facts.pids = handle.pids;
    item.handle = std::move(handle);
    work.push_back(std::move(item));
  }
  return work;
}

void read_counters_from_outside(const std::string& proc_root, unsigned threads,
                                std::span<NamespaceWork> work) {
  parallel_for(work.size(), threads, [&](std::size_t i) {
    if (!work[i].facts.counters.empty()) return;
    thread_local procfs::CounterParser parser;
    for (const Pid pid : work[i].handle.pids) {
      const std::string net_dir = proc_root + "/" + std::to_string(pid.value()) + "/net";
      if (Result<procfs::Counters> counters = parser.read(net_dir)) {
        take_counters(net_dir, std::move(counters), work[i]);
        return;
      }
    }
  });
}

void read_inside(std::span<const Want> wants, unsigned threads,
                 const std::map<std::string, facts::Sysctl>* host_sysctls,
                 std::span<NamespaceWork> work) {
  std::vector<netns::Handle> handles;
  std::vector<std::size_t> items;
  for (std::size_t i = 0; i < work.size(); ++i) {
    if (!wants[i].any()) continue;
    handles.push_back(work[i].handle);
    items.push_back(i);
  }
  if (handles.empty()) return;
  netns::for_each_namespace(handles, threads, [&](std::size_t index, const Status& entered) {
    const std::size_t item = items[index];
    visit(wants[item], entered, host_sysctls, work[item]);
  });
}

}  // namespace acceptq::collect
