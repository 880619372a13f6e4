// Several sockets that clients come to.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <thread>
#include <utility>
#include <vector>

#include "broker/socket_address.h"
#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

struct Listening {
  UniqueFd fd;
  Endpoint endpoint;
};

// Not valid where the machine has no such address.
Listening Listen(const char* address) {
  Listening listening{.fd = {}, .endpoint = {.address = *Address::Parse(address), .port = 0}};
  SocketAddress bound(listening.endpoint);
  UniqueFd fd(socket(bound.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (bind(fd.get(), bound.get(), bound.size()) != 0) return listening;
  socklen_t size = SocketAddress::kCapacity;
  getsockname(fd.get(), bound.get(), &size);
  // Both families have the port at the same place.
  listening.endpoint.port = ntohs(reinterpret_cast<const sockaddr_in*>(bound.get())->sin_port);
  listening.fd = std::move(fd);
  return listening;
}

// A connected socket hears only whom it is connected to: the address that was asked.
Bytes AskAt(const Endpoint& endpoint, const Bytes& query) {
  const SocketAddress address(endpoint);
  const UniqueFd fd(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.get(), address.size()), 0);
  EXPECT_EQ(send(fd.get(), query.data(), query.size(), 0), std::ssize(query));
  Bytes reply(4096);
  const timeval patience = {.tv_sec = 60, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const ssize_t size = recv(fd.get(), reply.data(), reply.size(), 0);
  reply.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return reply;
}

TEST(ResolverListeners, ReplyFromTheAddressThatWasAsked) {
  const FakeServer server(Always({"8.8.8.8"}));
  ResolverSockets sockets;
  std::vector<Endpoint> endpoints;
  for (const char* address : {"127.0.0.1", "127.0.0.2", "::1"}) {
    Listening listening = Listen(address);
    if (!listening.fd.valid()) continue;
    endpoints.push_back(listening.endpoint);
    sockets.udp.push_back(std::move(listening.fd));
  }
  ASSERT_GE(endpoints.size(), 2U);
  FakeAuthority authority;
  auto resolver =
      Resolver::Create(std::move(sockets), {server.endpoint()}, PatientOptions(), authority);
  ASSERT_TRUE(resolver);
  const UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  std::thread thread([&] { EXPECT_TRUE(resolver->Run(stop.get())); });
  const Bytes query = Message(3, kRd).Question("www.example", kTypeA).bytes();
  for (const Endpoint& endpoint : endpoints) {
    EXPECT_EQ(AddressesIn(AskAt(endpoint, query), "www.example", kTypeA), Texts{"8.8.8.8"})
        << endpoint.address.ToString();
  }
  eventfd_write(stop.get(), 1);
  thread.join();
  EXPECT_EQ(resolver->counters().udp_queries, endpoints.size());
  EXPECT_EQ(resolver->counters().cache_hits, endpoints.size() - 1);
}

}  // namespace
}  // namespace palyra::broker
