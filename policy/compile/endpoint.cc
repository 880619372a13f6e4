#include "policy/compile/endpoint.h"

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

Entity EndpointEntity(const NetEvent& event) {
  const IpAddress address =
      *IpAddress::Create(event.is_ipv6, event.address, event.is_ipv6 ? 128 : 32);
  const std::string text = event.is_ipv6 ? '[' + address.ToString() + ']' : address.ToString();
  const std::string protocol(ProtocolName(event.protocol));
  std::vector<RecordValue::Field> attrs = {
      {std::string(kAddressAttr), Value::Ip(address)},
      {std::string(kPortAttr), Value::Long(event.port)},
      {std::string(kProtocolAttr), Value::String(protocol)},
  };
  return {.uid = EntityUid(std::string(kEndpointType),
                           protocol + ' ' + text + ':' + std::to_string(event.port)),
          .attrs = RecordValue(std::move(attrs)),
          .tags = {},
          .ancestors = {}};
}

PartialEntity OpenEndpoint() {
  const auto required = [](std::string_view name, const Type& type) {
    return OpenAttr{.name = std::string(name), .required = true, .type = &type};
  };
  OpenAttr port = required(kPortAttr, kLongType);
  port.least = 0;
  port.most = UINT16_MAX;
  return {.uid = std::nullopt,
          .type = std::string(kEndpointType),
          .shape = EntityShape{
              .attributes = {required(kAddressAttr, ExtensionTypeOf(ExtensionType::kIpaddr)),
                             std::move(port), required(kProtocolAttr, kStringType)},
              .ancestor_types = {std::string(kDomainType)}}};
}

bool IsNamedEndpoint(const Expr& expr) {
  const Value* value = ConstantOf(expr);
  const EntityUid* uid = value == nullptr ? nullptr : value->AsEntity();
  return uid != nullptr && uid->type() == kEndpointType;
}

}  // namespace palyra::policy
