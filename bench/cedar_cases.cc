#include "bench/cedar_cases.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string_view>
#include <utility>

namespace palyra::bench {
namespace {

using nlohmann::json;
using policy::EntityUid;

constexpr size_t kRequests = 500;
constexpr size_t kScopes = 10'000;

constexpr std::string_view kGdrivePolicies = R"(
permit (principal, action == Action::"read", resource)
when { resource in principal.documentsAndFoldersWithViewAccess };
permit (principal, action == Action::"read", resource)
when { resource.isPublic };
permit (principal, action in [Action::"read", Action::"write", Action::"share"], resource)
when { resource in principal.ownedDocuments || resource in principal.ownedFolders };
permit (principal, action == Action::"changeOwner", resource)
when { principal.ownedDocuments.contains(resource) };
permit (principal, action == Action::"createDocument", resource)
when { principal.ownedFolders.contains(resource) };
)";

constexpr std::string_view kGithubPolicies = R"(
permit (principal, action == Action::"read", resource)
when { principal in resource.readers };
permit (principal, action in Action::"triage", resource)
when { principal in resource.triagers };
permit (principal, action in Action::"write", resource)
when { principal in resource.writers };
permit (principal, action in Action::"maintain", resource)
when { principal in resource.maintainers };
permit (principal, action in Action::"admin", resource)
when { principal in resource.admins };
permit (principal, action == Action::"read", resource)
when { principal in resource.owner.readers };
permit (principal, action in Action::"write", resource)
when { principal in resource.owner.writers };
permit (principal, action in Action::"admin", resource)
when { principal in resource.owner.admins };
)";

constexpr std::string_view kTinytodoPolicies = R"(
permit (
  principal,
  action in [Action::"CreateList", Action::"GetLists"],
  resource == Application::"TinyTodo"
);
permit (principal, action, resource)
when { resource is List && resource.owner == principal };
permit (principal, action == Action::"GetList", resource)
when { principal in resource.readers || principal in resource.editors };
permit (
  principal,
  action in [Action::"UpdateList", Action::"CreateTask", Action::"UpdateTask", Action::"DeleteTask"],
  resource
)
when { principal in resource.editors };
)";

class Random {
 public:
  size_t Below(size_t bound) { return engine_() % bound; }
  bool Connects() { return Below(20) == 0; }
  std::string_view OneOf(const std::vector<std::string_view>& choices) {
    return choices[Below(choices.size())];
  }

 private:
  std::mt19937_64 engine_{2024};  // NOLINT(cert-msc51-cpp,cert-msc32-c): the same in every run.
};

json Ref(std::string_view type, std::string_view id) {
  return {{"__entity", {{"type", type}, {"id", id}}}};
}

std::string Numbered(std::string_view name, size_t number) {
  return std::string(name) + '_' + std::to_string(number);
}

void AddEntity(json& entities, std::string_view type, std::string_view id,
               json attrs = json::object(), json parents = json::array()) {
  entities.push_back({{"uid", {{"type", type}, {"id", id}}},
                      {"attrs", std::move(attrs)},
                      {"parents", std::move(parents)}});
}

// Each of "<name>_0" … below `count` with the probability of an edge.
json SomeOf(Random& random, std::string_view type, std::string_view name, size_t count) {
  json some = json::array();
  for (size_t i = 0; i < count; ++i) {
    if (random.Connects()) {
      some.push_back(Ref(type, Numbered(name, i)));
    }
  }
  return some;
}

void Append(json& list, const json& more) { list.insert(list.end(), more.begin(), more.end()); }

EntityUid Action(std::string_view id) { return {"Action", std::string(id)}; }

CedarCase Gdrive(size_t n) {
  Random random;
  json entities = json::array();
  std::vector<json> views(n, json::array());  // Of each group, the views of its users.
  for (size_t i = 0; i < n; ++i) {
    const std::string view = "User " + Numbered("user", i);
    json groups = json::array();
    for (size_t j = 0; j < n; ++j) {
      if (random.Connects()) {
        groups.push_back(Ref("Group", Numbered("group", j)));
        views[j].push_back(Ref("View", view));
      }
    }
    AddEntity(entities, "User", Numbered("user", i),
              {{"documentsAndFoldersWithViewAccess", Ref("View", view)},
               {"ownedDocuments", SomeOf(random, "Document", "doc", n)},
               {"ownedFolders", SomeOf(random, "Folder", "folder", n)}},
              std::move(groups));
    AddEntity(entities, "View", view);
  }
  for (size_t i = 0; i < n; ++i) {
    AddEntity(entities, "Group", Numbered("group", i));
    AddEntity(entities, "View", "Group " + Numbered("group", i), json::object(), views[i]);
    for (const bool is_folder : {false, true}) {
      json parents = SomeOf(random, "Folder", "folder", is_folder ? i : n);
      Append(parents, SomeOf(random, "View", "User user", n));
      Append(parents, SomeOf(random, "View", "Group group", n));
      AddEntity(entities, is_folder ? "Folder" : "Document",
                Numbered(is_folder ? "folder" : "doc", i), {{"isPublic", random.Below(2) == 0}},
                std::move(parents));
    }
  }
  CedarCase result{.name = "gdrive/" + std::to_string(n),
                   .policies = std::string(kGdrivePolicies),
                   .entities = entities.dump(),
                   .requests = {}};
  for (size_t i = 0; i < kRequests; ++i) {
    const std::string_view action =
        random.OneOf({"read", "write", "share", "changeOwner", "createDocument"});
    const bool is_folder = action == "createDocument";
    result.requests.push_back(
        {.principal = {"User", Numbered("user", random.Below(n))},
         .action = Action(action),
         .resource = {is_folder ? "Folder" : "Document",
                      Numbered(is_folder ? "folder" : "doc", random.Below(n))}});
  }
  return result;
}

void AddGithubActions(json& entities) {
  AddEntity(entities, "Action", "admin");
  const std::vector<std::string_view> chain = {"admin", "maintain", "write", "triage", "read"};
  for (size_t i = 1; i < chain.size(); ++i) {
    AddEntity(entities, "Action", chain[i], json::object(),
              json::array({Ref("Action", chain[i - 1])}));
  }
}

// Entity `<name>_<role>` for each role, and the attributes that refer to them.
json AddPermissions(json& entities, std::string_view type, const std::string& name,
                    const std::vector<std::string_view>& roles) {
  json attrs = json::object();
  for (const std::string_view role : roles) {
    const std::string id = name + '_' + std::string(role);
    AddEntity(entities, type, id);
    attrs[std::string(role)] = Ref(type, id);
  }
  return attrs;
}

// One role in each of some of "<name>_0" ….
json SomeRoles(Random& random, std::string_view type, std::string_view name, size_t count,
               const std::vector<std::string_view>& roles) {
  json some = json::array();
  for (size_t i = 0; i < count; ++i) {
    if (random.Connects()) {
      some.push_back(Ref(type, Numbered(name, i) + '_' + std::string(random.OneOf(roles))));
    }
  }
  return some;
}

CedarCase Github(size_t n) {
  const std::vector<std::string_view> repo_roles = {"readers", "triagers", "writers", "maintainers",
                                                    "admins"};
  const std::vector<std::string_view> org_roles = {"readers", "writers", "admins"};
  Random random;
  json entities = json::array();
  AddGithubActions(entities);
  for (size_t i = 0; i < n; ++i) {
    json org = AddPermissions(entities, "OrgPermission", Numbered("org", i), org_roles);
    AddEntity(entities, "Organization", Numbered("org", i), std::move(org),
              SomeRoles(random, "OrgPermission", "org", n, org_roles));
    json repo = AddPermissions(entities, "RepoPermission", Numbered("repo", i), repo_roles);
    repo["owner"] = Ref("Organization", Numbered("org", random.Below(n)));
    AddEntity(entities, "Repository", Numbered("repo", i), std::move(repo));
    json team = SomeOf(random, "Team", "team", i);
    Append(team, SomeRoles(random, "RepoPermission", "repo", n, repo_roles));
    AddEntity(entities, "Team", Numbered("team", i), json::object(), std::move(team));
    json user = SomeOf(random, "Team", "team", n);
    Append(user, SomeRoles(random, "RepoPermission", "repo", n, repo_roles));
    Append(user, SomeOf(random, "Organization", "org", n));
    Append(user, SomeRoles(random, "OrgPermission", "org", n, org_roles));
    AddEntity(entities, "User", Numbered("user", i), json::object(), std::move(user));
  }
  CedarCase result{.name = "github/" + std::to_string(n),
                   .policies = std::string(kGithubPolicies),
                   .entities = entities.dump(),
                   .requests = {}};
  for (size_t i = 0; i < kRequests; ++i) {
    const bool is_team = random.Below(4) == 0;
    result.requests.push_back(
        {.principal = {is_team ? "Team" : "User",
                       Numbered(is_team ? "team" : "user", random.Below(n))},
         .action = Action(random.OneOf({"read", "triage", "write", "maintain", "admin"})),
         .resource = {"Repository", Numbered("repo", random.Below(n))}});
  }
  return result;
}

json TinytodoTasks(Random& random) {
  json tasks = json::array();
  for (size_t i = random.Below(51); i > 0; --i) {
    tasks.push_back({{"name", Numbered("task", random.Below(1'000'000))},
                     {"id", random.Below(1'000'000)},
                     {"state", random.Below(2) == 0 ? "Checked" : "Unchecked"}});
  }
  return tasks;
}

CedarCase Tinytodo(size_t n) {
  const json application = json::array({Ref("Application", "TinyTodo")});
  Random random;
  json entities = json::array();
  AddEntity(entities, "Application", "TinyTodo");
  for (size_t i = 0; i < n; ++i) {
    for (const bool is_user : {true, false}) {
      json parents = SomeOf(random, "Team", "team", is_user ? n : i);
      Append(parents, application);
      AddEntity(entities, is_user ? "User" : "Team", Numbered(is_user ? "user" : "team", i),
                json::object(), std::move(parents));
    }
    AddEntity(entities, "List", Numbered("list", i),
              {{"name", Numbered("list", i)},
               {"owner", Ref("User", Numbered("user", random.Below(n)))},
               {"readers", Ref("Team", Numbered("team", random.Below(n)))},
               {"editors", Ref("Team", Numbered("team", random.Below(n)))},
               {"tasks", TinytodoTasks(random)}},
              application);
  }
  CedarCase result{.name = "tinytodo/" + std::to_string(n),
                   .policies = std::string(kTinytodoPolicies),
                   .entities = entities.dump(),
                   .requests = {}};
  for (size_t i = 0; i < kRequests; ++i) {
    const std::string_view action =
        random.OneOf({"CreateList", "GetLists", "GetList", "UpdateList", "DeleteList", "CreateTask",
                      "UpdateTask", "DeleteTask", "EditShares"});
    const bool on_application = action == "CreateList" || action == "GetLists";
    result.requests.push_back(
        {.principal = {"User", Numbered("user", random.Below(n))},
         .action = Action(action),
         .resource = on_application ? EntityUid("Application", "TinyTodo")
                                    : EntityUid("List", Numbered("list", random.Below(n)))});
  }
  return result;
}

// Of `kScopes` policies each is for one principal of `principals`, and one resource of the others.
CedarCase Scopes(std::string name, size_t principals) {
  const size_t resources = kScopes / principals;
  Random random;
  CedarCase result{.name = std::move(name), .policies = {}, .entities = {}, .requests = {}};
  json entities = json::array();
  for (size_t i = 0; i < principals; ++i) {
    AddEntity(entities, "Group", Numbered("group", i));
    AddEntity(entities, "User", Numbered("user", i), json::object(),
              json::array({Ref("Group", Numbered("group", i))}));
  }
  for (size_t i = 0; i < resources; ++i) {
    AddEntity(entities, "Folder", Numbered("folder", i));
    AddEntity(entities, "Document", Numbered("doc", i), json::object(),
              json::array({Ref("Folder", Numbered("folder", i))}));
  }
  result.entities = entities.dump();
  for (size_t i = 0; i < kScopes; ++i) {
    result.policies += R"(permit (principal in Group::")" + Numbered("group", i % principals) +
                       R"(", action == Action::"read", resource in Folder::")" +
                       Numbered("folder", i / principals) + "\");\n";
  }
  for (size_t i = 0; i < kRequests; ++i) {
    result.requests.push_back({.principal = {"User", Numbered("user", random.Below(principals))},
                               .action = Action(random.OneOf({"read", "write"})),
                               .resource = {"Document", Numbered("doc", random.Below(resources))}});
  }
  return result;
}

json ToJson(const EntityUid& uid) { return {{"type", uid.type()}, {"id", uid.id()}}; }

}  // namespace

std::vector<CedarCase> CedarCases() {
  std::vector<CedarCase> cases;
  for (auto* const application : {Gdrive, Github, Tinytodo}) {
    for (const size_t n : {5, 10, 20, 50}) {
      cases.push_back(application(n));
    }
  }
  cases.push_back(Scopes("scopes/principal", kScopes));
  cases.push_back(Scopes("scopes/resource", 1));
  cases.push_back(Scopes("scopes/both", 100));
  return cases;
}

std::string ToJson(const std::vector<CedarCase>& cases) {
  json array = json::array();
  for (const CedarCase& c : cases) {
    json requests = json::array();
    for (const CedarRequest& request : c.requests) {
      requests.push_back({{"principal", ToJson(request.principal)},
                          {"action", ToJson(request.action)},
                          {"resource", ToJson(request.resource)},
                          {"context", json::object()}});
    }
    array.push_back({{"name", c.name},
                     {"policies", c.policies},
                     {"entities", json::parse(c.entities)},
                     {"requests", std::move(requests)}});
  }
  return array.dump();
}

}  // namespace palyra::bench
