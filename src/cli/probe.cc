// acceptq probe: the load generator, from the command line.
#include "lab/probe/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <memory>

#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "select/selector.h"

namespace acceptq::cli {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};

Result<facts::IpAddress> resolve_host(const std::string& host) {
  if (const auto literal = facts::IpAddress::parse(host)) return *literal;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, FreeAddresses> owned(found);
  if (code != 0) {
    return fail(ErrorCode::kNotFound,
                fmt::format("cannot look up \"{}\": {}", host, ::gai_strerror(code)));
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(owned->ai_addr->sa_data);
  // sa_data begins behind the family: port (2 bytes), then IPv4's address, or flow label (4 bytes)
  // and IPv6's.
  if (owned->ai_family == AF_INET) {
    return facts::IpAddress::v4(std::span<const std::uint8_t, 4>(bytes + 2, 4));
  }
  return facts::IpAddress::v6(std::span<const std::uint8_t, 16>(bytes + 6, 16));
}

struct Target {
  facts::IpAddress address;
  std::string device;  // "eth0" of "[fe80::1%eth0]:80"
  std::uint16_t port = 0;
};

Result<Target> parse_target(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto port = colon == std::string::npos
                        ? std::nullopt
                        : parse_int<std::uint16_t>(std::string_view(text).substr(colon + 1));
  if (!port || *port == 0 || colon == 0) {
    return fail(ErrorCode::kMalformed,
                fmt::format("\"{}\" is no HOST:PORT with a port from 1 to 65535", text));
  }
  const auto split = select::split_device(std::string_view(text).substr(0, colon));
  if (!split) {
    return fail(ErrorCode::kMalformed,
                fmt::format("\"{}\": no interface behind the percent sign", text));
  }
  std::string host = split->address;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Result<facts::IpAddress> address = resolve_host(host);
  if (!address) return fail(address.error());
  if (!split->device.empty() && !address->is_v6()) {
    return fail(ErrorCode::kMalformed,
                fmt::format("\"{}\": only an IPv6 address has a device behind it", text));
  }
  return Target{.address = *address, .device = split->device, .port = *port};
}

// \r, \n, \t and \\ as a shell user writes them.
std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    constexpr std::string_view kLetters = "rnt\\";
    constexpr std::string_view kBytes = "\r\n\t\\";
    const std::size_t letter = text[i] == '\\' && i + 1 < text.size() ? kLetters.find(text[i + 1])
                                                                      : std::string_view::npos;
    if (letter == std::string_view::npos) {
      out.push_back(text[i]);
    } else {
      out.push_back(kBytes[letter]);
      ++i;
    }
  }
  return out;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

}  // namespace

int run_probe(const ProbeCommand& command) {
  const Result<Target> target = parse_target(command.target);
  if (!target) {
    print_error(target.error());
    return kExitUsage;
  }
  lab::probe::ProbeOptions options{.address = target->address,
                                   .device = target->device,
                                   .port = target->port,
                                   .rate_per_s = command.rate,
                                   .count = command.count,
                                   .concurrency = command.concurrency,
                                   .timeout = milliseconds(command.timeout_s),
                                   .duration = milliseconds(command.seconds),
                                   .send = unescape(command.send),
                                   .expect_reply = command.expect_reply};
  if (command.count == 0 && command.seconds == 0) options.duration = milliseconds(10);
  UniqueFd netns;
  if (command.netns) {
    netns = UniqueFd(::open(command.netns->c_str(), O_RDONLY | O_CLOEXEC));
    if (!netns.valid()) {
      print_error(errno_error(errno, "cannot open " + *command.netns));
      return kExitUsage;
    }
    options.netns_fd = netns.get();
  }
  Progress line;
  lab::probe::ProgressCallback progress;
  if (line.is_shown()) {
    progress = [&line](const lab::probe::ProbeProgress& now) {
      line.show(fmt::format("{:.0f} s, {} started, {} connected, {} failed", now.elapsed_s,
                            now.started, now.connected, now.failed));
    };
  }
  const Result<lab::probe::ProbeResult> result =
      lab::probe::probe(options, &interrupted(), progress);
  line.clear();
  if (!result) {
    print_error(result.error());
    return kExitUsage;
  }
  const std::uint64_t connected = result->of(lab::probe::Outcome::kConnectedAtOnce) +
                                  result->of(lab::probe::Outcome::kConnectedAfterRetries);
  return finish(command.json ? lab::probe::to_json(*result) + "\n"
                             : render::for_terminal(style_of_stdout(ColorWhen::kNever),
                                                    lab::probe::to_text(*result)),
                connected == result->started ? kExitNothingWrong : kExitFindings);
}

}  // namespace acceptq::cli
