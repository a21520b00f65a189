#include "facts/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "facts/json_fields.h"

namespace acceptq::facts {
// Found by their arguments (facts/json_fields.h).
static void fields(auto& archive, RaisedSysctl& raised) {
  archive("before", raised.before);
  archive("raised_to", raised.raised_to);
  archive("put_back", raised.put_back);
}

static void fields(auto& archive, Resize& resize) {
  archive("boot_id", resize.boot_id);
  archive("netns", resize.netns);
  archive("address", resize.address);
  archive("port", resize.port);
  archive("mptcp", resize.mptcp);
  archive("inode", resize.inode);
  archive("pids", resize.pids);
  archive("before", resize.before);
  archive("after", resize.after);
  archive("done", resize.done);
  archive("somaxconn", resize.somaxconn);
  archive("realtime_ns", resize.realtime_ns);
  fields(archive, resize.author);
  archive("why", resize.why);
}

namespace {

using json::Document;
using json::FieldReader;
using json::FieldWriter;
using json::Json;
using json::Node;
using json::Value;

// Cookies do not fit into a double, which is what some readers of JSON make of a number.
Json write_hex(std::uint64_t value) { return fmt::format("{:x}", value); }

}  // namespace

std::string to_json(const Resize& resize) {
  Json object{{"schema", kResizeSchema},
              {"cookie", write_hex(resize.cookie.value())},
              {"netns_cookie", resize.netns_cookie ? write_hex(*resize.netns_cookie) : nullptr}};
  object.update(FieldWriter::write(resize));
  return object.dump(1) + "\n";
}

Result<Resize> resize_from_json(std::string_view text) {
  constexpr std::size_t kMostValues = 10'000;
  const Result<Node> tree = json::parse(text, kMostValues);
  if (!tree) return fail(tree.error());
  Document document{.text = text, .error = {}};
  const Value root(*tree, "$", document);
  std::string schema;
  root.member("schema").read(schema);
  if (!document.error && schema != kResizeSchema) {
    root.member("schema").wrong(fmt::format("\"{}\"", kResizeSchema));
  }
  Resize resize;
  std::uint64_t cookie = 0;
  root.member("cookie").read_hex(cookie);
  resize.cookie = SocketCookie(cookie);
  if (const Value ns = root.nullable("netns_cookie"); !ns.is_null()) {
    ns.read_hex(resize.netns_cookie.emplace());
  }
  FieldReader::read(root, resize);
  if (document.error) return fail(std::move(*document.error));
  return resize;
}

std::string resize_file_name(const Listener& listener) {
  return listener.cookie.value() != 0
             ? fmt::format("{}-{:x}.json", listener.netns.value(), listener.cookie.value())
             : fmt::format("{}-i{}.json", listener.netns.value(), listener.inode.value());
}

const Resize* find_resize(const std::vector<Resize>& resizes, const Host& host, const Namespace* ns,
                          const Listener& listener) {
  const auto is_it = [&](const Resize& resize) {
    const bool same_namespace =
        resize.netns == listener.netns && (ns == nullptr || !ns->cookie || !resize.netns_cookie ||
                                           *ns->cookie == *resize.netns_cookie);
    return listener.protocol == Protocol::kTcp && !listener.closed &&
           resize.boot_id == host.boot_id && same_namespace && resize.inode == listener.inode &&
           resize.cookie == listener.cookie && resize.address == listener.address &&
           resize.port == listener.port;
  };
  const auto found = std::ranges::find_if(resizes, is_it);
  return found != resizes.end() ? &*found : nullptr;
}

void mark_resized(const std::vector<Resize>& resizes, Snapshot& snapshot) {
  if (resizes.empty()) return;
  for (Listener& listener : snapshot.listeners) {
    const Namespace* ns = find_namespace(snapshot, listener.netns);
    const Resize* resize = find_resize(resizes, snapshot.host, ns, listener);
    if (resize != nullptr && listener.limit == resize->after) {
      listener.resized_from = resize->before;
    }
  }
}

}  // namespace acceptq::facts
