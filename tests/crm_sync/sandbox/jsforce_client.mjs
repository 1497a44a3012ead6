// Drives the sandbox with jsforce, unchanged, and prints what it saw as one JSON object.
// Arguments: the directory that jsforce is installed in, and a JSON object with baseUrl, username, password,
// securityToken, clientId and clientSecret.
import { createRequire } from "node:module";
import path from "node:path";

const [directory, credentials] = [process.argv[2], JSON.parse(process.env.CRM_SANDBOX_LOG_IN)];
const require = createRequire(path.join(directory, "package.json"));
const jsforce = require("jsforce");
const { baseUrl, username, password, securityToken, clientId, clientSecret } = credentials;
const seen = {};

async function describeFailure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.name, errorCode: error.errorCode };
  }
}

// Log-in by SOAP, as jsforce does without a connected app.
const bySoap = new jsforce.Connection({ loginUrl: baseUrl });
const soapUser = await bySoap.login(username, password + securityToken);
seen.soap = { id: soapUser.id, organizationId: soapUser.organizationId, instanceUrl: bySoap.instanceUrl };

// Log-in by the password flow.
const connection = new jsforce.Connection({
  oauth2: { loginUrl: baseUrl, clientId, clientSecret },
  version: "60.0",
});
const user = await connection.login(username, password);
seen.password = { id: user.id, organizationId: user.organizationId, instanceUrl: connection.instanceUrl };
seen.identity = (await connection.identity()).username;

// Log-in by client credentials.
const asApp = new jsforce.Connection({ instanceUrl: baseUrl, oauth2: { loginUrl: baseUrl, clientId, clientSecret } });
await asApp.authorize({ grant_type: "client_credentials" });
seen.clientCredentials = (await asApp.query("SELECT COUNT() FROM User")).totalSize;

seen.wrongPassword = await describeFailure(() => new jsforce.Connection({ loginUrl: baseUrl }).login(username, "wrong"));

// Collections: create, upsert by external id, update, retrieve, delete.
const names = Array.from({ length: 450 }, (_, number) => String(number).padStart(3, "0"));
const created = await connection
  .sobject("Account")
  .create(names.map((name) => ({ LastName: name, External_ID_vod__c: `E${name}` })), { allowRecursive: true });
seen.created = created.filter((result) => result.success).length;
const upserted = await connection
  .sobject("Account")
  .upsert(
    [
      { External_ID_vod__c: "E000", LastName: "Changed" },
      { External_ID_vod__c: "new", LastName: "New" },
      { External_ID_vod__c: "bad", LastName: "x".repeat(81) },
    ],
    "External_ID_vod__c",
  );
seen.upserted = upserted.map((result) => [result.success, result.created, result.errors.map((error) => error.statusCode)]);
seen.upsertedOne = await connection
  .sobject("Clinical_Study_vod__c")
  .upsert({ Vault_External_ID_vod__c: "S1", Name: "ST-1" }, "Vault_External_ID_vod__c");
const ids = created.slice(0, 3).map((result) => result.id);
seen.updated = (await connection.sobject("Account").update(ids.map((Id) => ({ Id, NPI_vod__c: "9" })))).map((r) => r.success);
seen.retrieved = (await connection.sobject("Account").retrieve(ids)).map((record) => record.NPI_vod__c);
seen.destroyed = (await connection.sobject("Account").destroy(ids.slice(0, 2))).map((result) => result.success);

// Queries: pages fetched one after the other, deleted records, relationships.
const records = [];
await new Promise((resolve, reject) => {
  connection
    .query("SELECT Id, LastName, CreatedBy.FirstName FROM Account ORDER BY External_ID_vod__c", {
      autoFetch: true,
      maxFetch: 10000,
      headers: { "Sforce-Query-Options": "batchSize=200" },
    })
    .on("record", (record) => records.push(record))
    .on("end", resolve)
    .on("error", reject)
    .run();
});
seen.fetched = [records.length, records[0].CreatedBy.FirstName];
seen.queryAll = (await connection.query("SELECT Id FROM Account WHERE IsDeleted = true", { scanAll: true })).totalSize;
seen.found = (await connection.sobject("Account").find({ LastName: { $like: "44%" } }, ["Name"]).sort("Name")).map((r) => r.Name);
seen.described = (await connection.sobject("Call2_vod__c").describe()).fields.length;
seen.limitInfo = connection.limitInfo.apiUsage.limit;

// What clients show on pages of their own: recent records, list views, layouts; and the Tooling API.
const account = connection.sobject("Account");
seen.recent = [(await connection.recent(2)).length, (await account.recent())[0].Id === (await connection.recent(1))[0].Id];
const views = await account.listviews();
const results = await account.listview(views.listviews[0].id).results();
seen.listViews = [views.size, results.size, (await account.listview(views.listviews[0].id).describe()).sobjectType];
seen.layouts = [
  (await account.layouts()).layouts[0].detailLayoutSections.length,
  (await account.compactLayouts()).compactLayouts[0].name,
];
seen.tooling = (
  await connection.tooling.query("SELECT DataType FROM FieldDefinition WHERE DurableId = 'Account.LastName'")
).records.map((record) => record.DataType);

// Errors.
seen.malformed = await describeFailure(() => connection.query("SELECT Nothing FROM Account"));
seen.missing = await describeFailure(() => connection.sobject("Account").retrieve("001000000000001AAA"));
seen.required = await describeFailure(() => connection.sobject("Call2_vod__c").create({}));

// The SOAP API, in the session of the SOAP log-in.
const { soap } = bySoap;
const record = (values) => ({ type: "Account", ...values });
const made = await soap.create(["s1", "s2", "s3"].map((LastName) => record({ LastName, NPI_vod__c: "7" })));
const [first, second, third] = made.map((result) => result.id);
seen.soapCreated = made.map((result) => [result.success, result.errors.length, result.id.length]);
seen.soapRefused = (await soap.create(record({ LastName: "x".repeat(81) }))).errors.map((error) => error.statusCode);
const changed = [record({ Id: first, FirstName: "Ana", NPI_vod__c: null }), record({ Id: "001000000000001AAA" })];
seen.soapUpdated = (await soap.update(changed)).map((result) => result.success);
const keyed = [record({ External_ID_vod__c: "soap", LastName: "New" })];
seen.soapUpserted = (await soap.upsert("External_ID_vod__c", keyed)).map((result) => [result.success, result.created]);
const kept = await bySoap.sobject("Account").retrieve(first);
seen.soapKept = [kept.Name, kept.NPI_vod__c];
seen.soapDeleted = (await soap.delete([second])).map((result) => result.id === second);
seen.soapUndeleted = (await soap.undelete([second, third])).map((result) => [result.success, result.errors.length]);
const merged = await soap.merge([{ masterRecord: record({ Id: first, NPI_vod__c: "8" }), recordToMergeIds: [second, third] }]);
seen.soapMerged = merged.map((result) => [result.success, result.id === first, result.mergedRecordIds.length]);
seen.soapEmptied = (await soap.emptyRecycleBin([second])).map((result) => result.success);
const info = await soap.getUserInfo();
seen.soapUser = { userName: info.userName, organizationId: info.organizationId, roleId: info.roleId };
seen.soapTime = (await soap.getServerTimestamp()).timestamp;
seen.soapUnknown = await describeFailure(() => soap.describeTabs());
seen.soapWrongField = await describeFailure(() => soap.create(record({ No: "1" })));
const stranger = new jsforce.Connection({ instanceUrl: baseUrl, accessToken: "00D000000000001!none" });
seen.soapStranger = await describeFailure(() => stranger.soap.getUserInfo());

console.log(JSON.stringify(seen));
