// The pieces of evidence that the readers find, each with the numbers of its lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/edit.h"
#include "evidence/cpu_limits.h"
#include "evidence/mountstats.h"
#include "facts/listener.h"
#include "facts/process.h"

namespace acceptq::imports {

// A line that should have been evidence and could not be read.
struct Problem {
  std::uint32_t line = 0;
  std::string reason;

  friend bool operator==(const Problem&, const Problem&) = default;
};

struct ListenerRow {
  std::uint32_t line = 0;
  facts::Listener listener;
  std::vector<facts::Process> owners;  // pid and comm alone
};

// What ss, netstat -l or /proc/net/tcp list.
struct ListenerTable {
  std::vector<ListenerRow> rows;
  bool has_head = false;  // so that it is no part of a table that grep let through
};

// Totals by nstat's names: "TcpExtListenOverflows".
struct CounterSample {
  std::string form;  // "nstat": samples of one form are compared
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  // They are what has grown since the user ran nstat last, as without -a.
  bool increments = false;
};

struct Setting {
  std::string name;  // "net.core.somaxconn"
  std::int64_t value = 0;
};

struct Settings {
  std::vector<Setting> values;
};

// Addresses of interfaces: "172.26.0.8".
struct Addresses {
  std::vector<std::string> all;
};

// uname -a.
struct HostLine {
  std::string name;
  std::string kernel;
};

// What is told, and is no number that a diagnosis goes by: SYN flooding in the kernel's log.
struct Remark {
  std::string what;
  std::string meaning;
};

// Files that a server has read, as it prints them: nginx -T. The first is where it begins.
struct ServerConfig {
  std::vector<config::File> files;
};

// /proc/pressure/*: in how many per cent of 10 s some program had to wait for it.
struct Pressure {
  std::string resource;  // "cpu", "io", "memory"; empty: not told
  double some = 0;
};
struct Pressures {
  std::vector<Pressure> all;
};

// cpu.stat of a control group.
struct CpuSample {
  evidence::CpuStat stat;
};

// /proc/PID/mountstats.
struct MountSample {
  std::vector<evidence::NfsMountStats> mounts;
};

// What is told of one pod or container.
struct Description {
  // All that it is called where something was run in it: "pod shop/web-1", "container 49b4…",
  // "network namespace of pid 3985"; the one to show first.
  std::vector<std::string> names;
  std::vector<Setting> values;  // that it was given
  std::vector<std::string> addresses;
  std::vector<Remark> remarks;
};

struct Descriptions {
  std::vector<Description> all;
};

// Of another system than Linux, whose counters mean something else.
struct ForeignSystem {
  std::string system;
};

using Piece = std::variant<std::monostate, ListenerTable, CounterSample, Settings, HostLine, Remark,
                           ForeignSystem, Addresses, Descriptions, ServerConfig, Pressures,
                           CpuSample, MountSample>;

// What one reader made of the lines that it was given: how many from the first on are of its form
// (0: none), and what they say.
struct Reading {
  std::size_t used = 0;
  Piece piece;
  std::vector<Problem> problems;
};

}  // namespace acceptq::imports
