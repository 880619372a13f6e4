#include "policy/compile/endpoint.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "policy/ip.h"
#include "policy/schema/types.h"

namespace palyra::policy {

std::string_view ActionName(NetAction action) {
  static constexpr std::array<std::string_view, kNetActionCount> kNames = {
      "net.connect", "net.send", "net.accept", "net.bind", "net.listen"};
  return kNames.at(static_cast<size_t>(action));
}

EntityUid ActionUid(NetAction action) {
  return {std::string(kActionType), std::string(ActionName(action))};
}

std::string_view ProtocolName(Protocol protocol) {
  static constexpr std::array<std::string_view, kProtocolCount> kNames = {"tcp", "udp", "udplite",
                                                                          "icmp", "icmpv6"};
  return kNames.at(static_cast<size_t>(protocol));
}

Entity EndpointEntity(const NetEvent& event, const EntityStore& entities) {
  const IpAddress address =
      *IpAddress::Create(event.is_ipv6, event.address, event.is_ipv6 ? 128 : 32);
  const std::string text = event.is_ipv6 ? '[' + address.ToString() + ']' : address.ToString();
  const std::string protocol(ProtocolName(event.protocol));
  std::vector<RecordValue::Field> attrs = {
      {std::string(kAddressAttr), Value::Ip(address)},
      {std::string(kPortAttr), Value::Long(event.port)},
      {std::string(kProtocolAttr), Value::String(protocol)},
  };
  std::string id = protocol + ' ' + text + ':' + std::to_string(event.port);
  std::unordered_set<EntityUid> domains;
  if (event.domain) {
    attrs.emplace_back(kDomainAttr, Value::String(*event.domain));
    id += " as " + *event.domain;
    domains = DomainsAbove(*event.domain, entities);
  }
  return {.uid = EntityUid(std::string(kEndpointType), std::move(id)),
          .attrs = RecordValue(std::move(attrs)),
          .tags = {},
          .ancestors = std::move(domains)};
}

PartialEntity OpenEndpoint(const EntityStore& entities) {
  const auto open = [](std::string_view name, bool required, const Type& type) {
    return OpenAttr{.name = std::string(name), .required = required, .type = &type};
  };
  OpenAttr port = open(kPortAttr, true, kLongType);
  port.least = 0;
  port.most = UINT16_MAX;
  EntityShape shape{
      .attributes = {open(kAddressAttr, true, ExtensionTypeOf(ExtensionType::kIpaddr)),
                     std::move(port), open(kProtocolAttr, true, kStringType),
                     open(kDomainAttr, false, kStringType)},
      .ancestor_types = {std::string(kDomainType)}};
  for (const auto& [uid, entity] : entities.entities()) {
    if (uid.type() == kDomainType) {
      for (const EntityUid& ancestor : entity.ancestors) {
        shape.ancestor_types.push_back(ancestor.type());
      }
    }
  }
  std::ranges::sort(shape.ancestor_types);
  const auto repeated = std::ranges::unique(shape.ancestor_types);
  shape.ancestor_types.erase(repeated.begin(), repeated.end());
  return {.uid = std::nullopt, .type = std::string(kEndpointType), .shape = std::move(shape)};
}

std::unordered_set<EntityUid> DomainsAbove(std::string_view domain, const EntityStore& entities) {
  std::unordered_set<EntityUid> domains;
  while (true) {
    EntityUid uid{std::string(kDomainType), std::string(domain)};
    if (const Entity* entity = entities.Find(uid)) {
      domains.insert(entity->ancestors.begin(), entity->ancestors.end());
    }
    domains.insert(std::move(uid));
    const size_t dot = domain.find('.');
    if (dot == std::string_view::npos) {
      return domains;
    }
    domain.remove_prefix(dot + 1);
  }
}

std::vector<EntityUid> DomainsBelow(const EntityUid& ancestor, const EntityStore& entities) {
  std::vector<EntityUid> domains;
  const auto add = [&](const EntityUid& uid) {
    if (uid.type() == kDomainType) {
      domains.push_back(uid);
    }
  };
  add(ancestor);
  for (const auto& [uid, entity] : entities.entities()) {
    if (entity.ancestors.contains(ancestor)) {
      add(uid);
    }
  }
  return domains;
}

std::vector<Pattern> NamesOf(const EntityUid& domain) {
  return {{.pieces = {domain.id()}}, {.pieces = {"", '.' + domain.id()}}};
}

bool IsNamedEndpoint(const Expr& expr) {
  const Value* value = ConstantOf(expr);
  const EntityUid* uid = value == nullptr ? nullptr : value->AsEntity();
  return uid != nullptr && uid->type() == kEndpointType;
}

}  // namespace palyra::policy
