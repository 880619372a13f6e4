#include "policy/shorthand.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "policy/authorizer.h"
#include "policy/mandatory.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

constexpr const char* kHead =
    " (principal, action in [Palyra::Action::\"net.connect\", Palyra::Action::\"net.send\"], "
    "resource)";

// The condition of the policy; "" where it has none; "error: …" where it is refused.
std::string ConditionText(const std::string& argument) {
  const auto text = NetShorthandToCedar(NetShorthand::kAllow, argument);
  if (!text) {
    return "error: " + text.error().message;
  }
  const PolicySet set = MustParsePolicies(*text);
  const Policy& policy = set[0].policy;
  EXPECT_EQ(*policy.FindAnnotation("id"), "--allow-net " + argument);
  return policy.conditions.empty() ? "" : ToCedar(*policy.conditions[0].body);
}

TEST(NetShorthand, ReadsAsAPersonWouldWrite) {
  EXPECT_EQ(*NetShorthandToCedar(NetShorthand::kAllow, "10.0.0.0/8:443"),
            "@id(\"--allow-net 10.0.0.0/8:443\")\npermit" + std::string(kHead) +
                " when { resource.address.isInRange(ip(\"10.0.0.0/8\")) && resource.port == 443 "
                "};\n");
  EXPECT_EQ(*NetShorthandToCedar(NetShorthand::kDeny, "*"),
            "@id(\"--deny-net *\")\nforbid" + std::string(kHead) + ";\n");
}

TEST(NetShorthand, UnderstandsEveryForm) {
  const struct {
    const char* argument;
    const char* condition;
  } cases[] = {
      {"1.2.3.4", "resource.address == ip(\"1.2.3.4\")"},
      {"1.2.3.4/32:53", "resource.address == ip(\"1.2.3.4\") && resource.port == 53"},
      {"10.1.2.3/8", "resource.address.isInRange(ip(\"10.0.0.0/8\"))"},
      {"0.0.0.0/0:80", "resource.address.isInRange(ip(\"0.0.0.0/0\")) && resource.port == 80"},
      {"1.2.3.4:8000-8999",
       "resource.address == ip(\"1.2.3.4\") && resource.port >= 8000 && resource.port <= 8999"},
      {"1.2.3.4:0-65535",
       "resource.address == ip(\"1.2.3.4\") && resource.port >= 0 && resource.port <= 65535"},
      {"::1", "resource.address == ip(\"::1\")"},
      {"[::1]:80", "resource.address == ip(\"::1\") && resource.port == 80"},
      {"[fd00::1/8]:443", "resource.address.isInRange(ip(\"fd00::/8\")) && resource.port == 443"},
      {"[2001:db8::1]", "resource.address == ip(\"2001:db8::1\")"},
      {"2001:db8::/32", "resource.address.isInRange(ip(\"2001:db8::/32\"))"},
      {"localhost", "resource.address == ip(\"127.0.0.1\") || resource.address == ip(\"::1\")"},
      {"localhost:3000",
       "(resource.address == ip(\"127.0.0.1\") || resource.address == ip(\"::1\")) && "
       "resource.port == 3000"},
      {"*", ""},
      {"*:53", "resource.port == 53"},
      {"*:1-2", "resource.port >= 1 && resource.port <= 2"},
      {"::ffff:10.0.0.1", "resource.address == ip(\"10.0.0.1\")"},
      {"::ffff:a00:1", "resource.address == ip(\"10.0.0.1\")"},
      {"0:0:0:0:0:FFFF:0a00:0001", "resource.address == ip(\"10.0.0.1\")"},
      {"[::ffff:10.0.0.0/104]:443",
       "resource.address.isInRange(ip(\"10.0.0.0/8\")) && resource.port == 443"},
      {"::ffff:0:0/96", "resource.address.isInRange(ip(\"0.0.0.0/0\"))"},
      {"64:ff9b::169.254.169.254", "resource.address == ip(\"64:ff9b::a9fe:a9fe\")"},
      {"::/0", "resource.address.isInRange(ip(\"::/0\"))"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ConditionText(c.argument), c.condition) << c.argument;
  }
}

TEST(NetShorthand, ListensAtAPort) {
  const struct {
    const char* argument;
    const char* condition;
  } cases[] = {
      {"3000", "resource.port == 3000"},
      {"8000-8999", "resource.port >= 8000 && resource.port <= 8999"},
      {"127.0.0.1:3000", "resource.address == ip(\"127.0.0.1\") && resource.port == 3000"},
      {"[::1]:3000", "resource.address == ip(\"::1\") && resource.port == 3000"},
      {"localhost:3000",
       "(resource.address == ip(\"127.0.0.1\") || resource.address == ip(\"::1\")) && "
       "resource.port == 3000"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(NetShorthandToCedar(NetShorthand::kAllowListen, c.argument),
              "@id(\"--allow-listen " + std::string(c.argument) +
                  "\")\npermit (principal, action in [Palyra::Action::\"net.bind\", "
                  "Palyra::Action::\"net.listen\", Palyra::Action::\"net.accept\"], resource) "
                  "when { action == Palyra::Action::\"net.accept\" || " +
                  c.condition + " };\n");
  }
  for (const char* argument : {"", "127.0.0.1", "*", "localhost", "[::1]", "::1", "-", "1-",
                               "65536", "9-8", "http", "host:1"}) {
    const auto text = NetShorthandToCedar(NetShorthand::kAllowListen, argument);
    ASSERT_FALSE(text) << argument;
    EXPECT_TRUE(text.error().message.starts_with("--allow-listen \"")) << text.error().message;
  }
}

TEST(NetShorthand, NamesAreExactAndStarsAreWhatIsBelow) {
  const struct {
    const char* argument;
    const char* condition;
  } cases[] = {
      {"example.com", "resource has domain && resource.domain == \"example.com\""},
      {"Example.COM.:443",
       "resource has domain && resource.domain == \"example.com\" && resource.port == 443"},
      {"*.example.com:1-2",
       "resource has domain && resource.domain like \"*.example.com\" && resource.port >= 1 && "
       "resource.port <= 2"},
      {"LOCALHOST", "resource has domain && resource.domain == \"localhost\""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ConditionText(c.argument), c.condition) << c.argument;
  }
}

TEST(NetShorthand, RefusesWhatIsNoNameAndSaysWhy) {
  for (const char* argument : {"a b", "a..b", "**.example.com", "*.*.example.com",
                               "a.*.example.com", "user@example.com", "10.0.0.*",
                               "b\xC3\xBC"
                               "cher.example"}) {
    const std::string text = ConditionText(argument);
    EXPECT_TRUE(text.starts_with("error: --allow-net ")) << text;
  }
}

TEST(NetShorthand, RefusesEveryOtherArgument) {
  for (const char* argument : {"",
                               ":",
                               ":80",
                               "1.2.3.4:",
                               "1.2.3.4:x",
                               "1.2.3.4:65536",
                               "1.2.3.4:080",
                               "1.2.3.4:-1",
                               "1.2.3.4:+1",
                               "1.2.3.4:5-",
                               "1.2.3.4:-5",
                               "1.2.3.4:9-8",
                               "1.2.3.4:1-2-3",
                               "1.2.3.4:1 ",
                               "1.2.3.4:80:81",
                               "0177.0.0.1",
                               "0x7f.0.0.1",
                               "0x7f000001",
                               "2130706433",
                               "127.1",
                               "1.2.3.4/33",
                               "1.2.3.4/",
                               "1.2.3.4/8/8",
                               "1.2.3.4/08",
                               "[1.2.3.4]:80",
                               "[::1",
                               "::1]",
                               "[::1]80",
                               "[::1]/128:80",
                               "[::1]:",
                               "[]:80",
                               "[*]:80",
                               "::1%eth0",
                               "fe80::1%2",
                               "1:2",
                               "2001:db8::1:443:",
                               ":::",
                               "::ffff:10.0.0.0/8",
                               "::ffff:0:0/95",
                               "::ffff:256.0.0.1",
                               "::ffff:1.2.3",
                               "1.2.3.4::",
                               "localhost:",
                               "localhost/8",
                               "*/0",
                               "* ",
                               "http://1.2.3.4",
                               "1.2.3.4\n",
                               "\xff"}) {
    EXPECT_EQ(ConditionText(argument).substr(0, 7), "error: ") << argument;
  }
}

TEST(NetShorthand, AnArgumentCannotWritePolicy) {
  EXPECT_EQ(ConditionText("1.2.3.4\") permit (principal, action, resource);//").substr(0, 7),
            "error: ");
}

TEST(PathShorthand, ReadsAsAPersonWouldWrite) {
  const struct {
    PathShorthand kind;
    const char* text;
  } cases[] = {
      {PathShorthand::kAllowRead,
       "@id(\"--allow-read src\")\npermit (principal, action == Palyra::Action::\"file.read\", "
       "resource in Palyra::Directory::\"/w/src\");\n"},
      {PathShorthand::kAllowWrite,
       "@id(\"--allow-write src\")\npermit (principal, action in Palyra::Action::\"file.any\", "
       "resource in Palyra::Directory::\"/w/src\");\n"},
      {PathShorthand::kAllowDevice,
       "@id(\"--allow-write src\")\npermit (principal, action in "
       "[Palyra::Action::\"file.read\", Palyra::Action::\"file.write\", "
       "Palyra::Action::\"file.attributes\"], resource in Palyra::Directory::\"/w/src\");\n"},
      {PathShorthand::kAllowExec,
       "@id(\"--allow-exec src\")\npermit (principal, action in "
       "[Palyra::Action::\"process.exec\", Palyra::Action::\"file.read\"], "
       "resource in Palyra::Directory::\"/w/src\");\n"},
      {PathShorthand::kDenyRead,
       "@id(\"--deny-read src\")\nforbid (principal, action == Palyra::Action::\"file.read\", "
       "resource in Palyra::Directory::\"/w/src\");\n"},
      {PathShorthand::kDenyWrite,
       "@id(\"--deny-write src\")\nforbid (principal, action in Palyra::Action::\"file.modify\", "
       "resource in Palyra::Directory::\"/w/src\");\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(PathShorthandToCedar(c.kind, "src", "/w/src"), c.text);
}

TEST(PathShorthand, NoCharacterStandsForOthers) {
  const std::string path = "/w/*?[a]\"\\\n${home}\xC3\xBC) permit";
  const auto text = PathShorthandToCedar(PathShorthand::kAllowRead, path, path);
  ASSERT_TRUE(text) << text.error().message;
  const PolicySet set = MustParsePolicies(*text);
  ASSERT_EQ(set.size(), 1U);
  EXPECT_EQ(set[0].policy.resource.entities[0], EntityUid("Palyra::Directory", path));
  EXPECT_EQ(*set[0].policy.FindAnnotation("id"), "--allow-read " + path);
}

TEST(PathShorthand, RefusesWhatNoPolicyCanName) {
  for (const char* path : {"", "w", "./w", "/w/", "/w//a", "/w/../a", "/w/.", "/w/\xFF"}) {
    const auto text = PathShorthandToCedar(PathShorthand::kDenyWrite, "x", path);
    ASSERT_FALSE(text) << path;
    EXPECT_TRUE(text.error().message.starts_with("--deny-write")) << text.error().message;
  }
  EXPECT_FALSE(PathShorthandToCedar(PathShorthand::kAllowRead, "\xFF", "/w"));
}

Verdict JudgeMandatory(const std::string& address, const std::string& action) {
  const EntityUid endpoint("Palyra::Endpoint", address);
  const auto entity = std::make_shared<const Entity>(
      Entity{.uid = endpoint,
             .attrs = RecordValue({{"address", Value::Ip(*IpAddress::Parse(address))},
                                   {"port", Value::Long(80)},
                                   {"protocol", Value::String("tcp")}}),
             .tags = RecordValue(),
             .ancestors = {}});
  const Request request{EntityUid("Palyra::Agent", "a"), EntityUid("Palyra::Action", action),
                        endpoint, Value::Record({}), entity};
  const Judgement judgement = Judge(MandatoryPolicies(), request, EntityStore());
  EXPECT_TRUE(judgement.errors.empty());
  EXPECT_EQ(judgement.reasons.size(), 1U);
  return judgement.verdict;
}

Verdict JudgeSocket(const std::string& path, bool is_abstract) {
  const EntityUid socket("Palyra::Socket", path);
  const auto entity = std::make_shared<const Entity>(Entity{
      .uid = socket,
      .attrs = RecordValue({{"path", Value::String(path)}, {"abstract", Value::Bool(is_abstract)}}),
      .tags = RecordValue(),
      .ancestors = {}});
  const Request request{EntityUid("Palyra::Agent", "a"),
                        EntityUid("Palyra::Action", "unix.connect"), socket, Value::Record({}),
                        entity};
  return Judge(MandatoryPolicies(), request, EntityStore()).verdict;
}

TEST(Mandatory, DeniesCloudMetadataUnderEverySpelling) {
  for (const char* address :
       {"169.254.169.254",    "169.254.170.2",      "169.254.170.23",     "fd00:ec2::254",
        "fd00:ec2::23",       "100.100.100.200",    "168.63.129.16",      "192.0.0.192",
        "fd20:ce::254",       "64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:aa02", "64:ff9b::a9fe:aa17",
        "64:ff9b::6464:64c8", "64:ff9b::a83f:8110", "64:ff9b::c000:c0",   "2002:a9fe:a9fe::1",
        "2002:a9fe:aa02:1::", "2002:a9fe:aa17::",   "2002:6464:64c8::1",  "2002:a83f:8110::1",
        "2002:c000:c0::1",    "::a9fe:a9fe",        "::a9fe:aa02",        "::a9fe:aa17",
        "::6464:64c8",        "::a83f:8110",        "::c000:c0"}) {
    EXPECT_EQ(JudgeMandatory(address, "net.connect"), Verdict::kDeny) << address;
    EXPECT_EQ(JudgeMandatory(address, "net.send"), Verdict::kDeny) << address;
  }
}

TEST(Mandatory, LeavesTheRestToTheOtherLayers) {
  for (const char* address :
       {"169.254.169.253", "169.254.169.255", "169.254.170.3", "8.8.8.8", "127.0.0.1", "::1",
        "fd00:ec2::253", "2002:a9fe:a9ff::1", "64:ff9b::808:808", "10.0.0.1"}) {
    EXPECT_EQ(JudgeMandatory(address, "net.connect"), Verdict::kAllow) << address;
  }
}

TEST(Mandatory, DeniesPalyrasOwnSockets) {
  EXPECT_EQ(JudgeSocket("/run/palyra/palyrad.sock", false), Verdict::kDeny);
  EXPECT_EQ(JudgeSocket("/run/palyra/palyrad.sock", true), Verdict::kAllow) << "another name space";
  EXPECT_EQ(JudgeSocket("/run/docker.sock", false), Verdict::kAllow) << "for the other layers";
}

TEST(UnixShorthand, IsExactlyOneSocket) {
  EXPECT_EQ(UnixShorthandToCedar("/run/docker.sock").value(),
            "@id(\"--allow-unix /run/docker.sock\")\n"
            "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
            "!resource.abstract && resource.path == \"/run/docker.sock\" };\n");
  EXPECT_EQ(UnixShorthandToCedar("@/tmp/*").value(),
            "@id(\"--allow-unix @/tmp/*\")\n"
            "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
            "resource.abstract && resource.path == \"/tmp/*\" };\n");
}

TEST(UnixShorthand, RefusesWhatIsNoPathOfASocket) {
  for (const char* argument : {"", "docker.sock", "/", "/run/", "/run//a", "/run/../a", "./a"}) {
    EXPECT_FALSE(UnixShorthandToCedar(argument)) << argument;
  }
}

TEST(Mandatory, EveryPolicyHasItsOwnName) {
  std::set<std::string> names;
  for (const PlacedPolicy& placed : MandatoryPolicies().policies()) {
    const std::string* name = placed.policy.FindAnnotation("id");
    ASSERT_NE(name, nullptr) << placed.Label();
    EXPECT_TRUE(names.insert(*name).second) << *name;
  }
  EXPECT_EQ(names.size(), 11U);
}

}  // namespace
}  // namespace palyra::policy
