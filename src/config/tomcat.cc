// Apache Tomcat: `acceptCount="N"` of the Connector in conf/server.xml below its catalina.base.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

struct Attribute {
  std::string_view name;
  std::string_view value;
  std::size_t begin = 0;  // of the value, without its quotes
  std::size_t end = 0;    // behind the closing quote
};

struct Element {
  std::size_t begin = 0;
  std::size_t name_end = 0;
  std::vector<Attribute> attributes;

  [[nodiscard]] const Attribute* find(std::string_view name) const {
    const auto found = std::ranges::find(attributes, name, &Attribute::name);
    return found != attributes.end() ? &*found : nullptr;
  }
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool ends_name(char c) { return is_space(c) || c == '=' || c == '>' || c == '/'; }

// Of an element whose name has been read up to `at`, which then is behind its '>'.
Result<Element> read_element(const File& file, std::size_t begin, std::size_t& at) {
  const std::string_view text = file.text;
  Element element{.begin = begin, .name_end = at};
  while (true) {
    while (at < text.size() && (is_space(text[at]) || text[at] == '/')) ++at;
    if (at >= text.size()) return fail(malformed(file, begin, "this element does not end"));
    if (text[at] == '>') {
      ++at;
      return element;
    }
    Attribute attribute;
    const std::size_t name = at;
    while (at < text.size() && !ends_name(text[at])) ++at;
    attribute.name = text.substr(name, at - name);
    while (at < text.size() && is_space(text[at])) ++at;
    const bool assigned = at < text.size() && text[at] == '=';
    if (assigned) ++at;
    while (at < text.size() && is_space(text[at])) ++at;
    if (!assigned || at >= text.size() || (text[at] != '"' && text[at] != '\'')) {
      return fail(malformed(file, begin, "an attribute of this element has no value in quotes"));
    }
    attribute.begin = at + 1;
    const std::size_t quote = text.find(text[at], attribute.begin);
    if (quote == std::string_view::npos) {
      return fail(malformed(file, at, "this quote does not end"));
    }
    attribute.value = text.substr(attribute.begin, quote - attribute.begin);
    attribute.end = at = quote + 1;
    element.attributes.push_back(attribute);
  }
}

// Where what begins at `at` and is no element ends: a comment, a CDATA section, an instruction;
// `at` itself of an element, npos of what does not end.
std::size_t behind_other(std::string_view text, std::size_t at) {
  struct Kind {
    std::string_view begin;
    std::string_view end;
  };
  for (const Kind& kind : {Kind{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"</", ">"}}) {
    if (!text.substr(at).starts_with(kind.begin)) continue;
    const std::size_t end = text.find(kind.end, at + kind.begin.size());
    return end == std::string_view::npos ? end : end + kind.end.size();
  }
  return at;
}

Result<std::vector<Element>> connectors_of(const File& file) {
  const std::string_view text = file.text;
  std::vector<Element> connectors;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    const std::size_t begin = at;
    at = behind_other(text, begin);
    if (at == std::string_view::npos) {
      return fail(malformed(file, begin, "what begins here does not end in this file"));
    }
    if (at != begin) continue;
    if (text.substr(begin).starts_with("<!")) {
      return fail(malformed(file, begin, "a document type, which may define more, is not read"));
    }
    ++at;
    const std::size_t name = at;
    while (at < text.size() && !ends_name(text[at])) ++at;
    const bool connector = text.substr(name, at - name) == "Connector";
    Result<Element> element = read_element(file, begin, at);
    if (!element) return fail(element.error());
    if (connector) connectors.push_back(std::move(*element));
  }
  return connectors;
}

// Without an address it is at all of them; one of "${…}" may be any.
Match match_connector(const Element& connector, const facts::Listener& listener) {
  const Attribute* port = connector.find("port");
  if (port == nullptr) return Match::kNo;
  const Attribute* address = connector.find("address");
  const bool open = port->value.find('$') != std::string_view::npos ||
                    (address != nullptr && address->value.find('$') != std::string_view::npos);
  if (open) return Match::kMaybe;
  if (parse_int<std::uint16_t>(port->value) != listener.port) return Match::kNo;
  if (address == nullptr) return Match::kYes;
  const auto at = facts::IpAddress::parse(address->value);
  if (!at) return Match::kMaybe;  // a name
  return *at == listener.address ? Match::kYes : Match::kNo;
}

const Element* connector_of(const std::vector<Element>& connectors,
                            const facts::Listener& listener) {
  std::vector<const Element*> perhaps;
  for (const Element& connector : connectors) {
    const Match found = match_connector(connector, listener);
    if (found == Match::kYes) return &connector;
    if (found == Match::kMaybe) perhaps.push_back(&connector);
  }
  return perhaps.size() == 1 ? perhaps.front() : nullptr;
}

// The value of -Dcatalina.base, else of -Dcatalina.home.
std::optional<std::string> base_of(const Invocation& invocation) {
  for (const std::string_view name : {"-Dcatalina.base=", "-Dcatalina.home="}) {
    for (const std::string& word : invocation.arguments) {
      if (word.starts_with(name)) return absolute(word.substr(name.size()), invocation.directory);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Edit> edit_tomcat(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const auto base = base_of(invocation);
  if (!base) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("what {} runs has its backlog in its code, or in a configuration that "
                            "is not known here",
                            invocation.program));
  }
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "Tomcat has no setting of its bound on descriptors: LimitNOFILE= of its unit is");
  }
  const Result<std::vector<File>> files = read(*base + "/conf/server.xml");
  if (!files) return fail(files.error());
  if (files->empty()) return fail(ErrorCode::kNotFound, "no file " + *base + "/conf/server.xml");
  const File& file = files->front();
  const Result<std::vector<Element>> connectors = connectors_of(file);
  if (!connectors) return fail(connectors.error());
  const Element* connector = connector_of(*connectors, wish.listener);
  if (connector == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no Connector of {}", file.path, endpoint_text(wish.listener)));
  }
  const std::string_view name =
      wish.setting == Setting::kBacklog ? "acceptCount" : "maxConnections";
  const std::string value = std::to_string(wish.value);
  const Attribute* old = connector->find(name);
  if (old == nullptr) {
    return edit_file(
        replace(file, connector->attributes.back().end, 0, fmt::format(" {}=\"{}\"", name, value)));
  }
  if (old->value == value) {
    return edit_nothing(file, old->begin, fmt::format("{}=\"{}\"", name, value));
  }
  return edit_file(replace(file, old->begin, old->value.size(), value));
}

}  // namespace acceptq::config
