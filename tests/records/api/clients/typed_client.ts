// Uses the API with openapi-fetch and the types that openapi-typescript makes, and prints what it saw as JSON.
import createClient from "openapi-fetch";

import type { paths } from "./vault.js";

const [address = "", study = ""] = process.argv.slice(2);
const vault = createClient<paths>({
  baseUrl: address,
  headers: { Authorization: `Bearer ${process.env["VAULT_TOKEN"]}` },
  querySerializer: writeQuery,
});

/** Write `conditions` as what it is, parameters beside the others; openapi-fetch by itself does not write lists in it. */
function writeQuery({ conditions, ...query }: Record<string, unknown>): string {
  const pairs = Object.entries({ ...query, ...(conditions ?? {}) });
  const written = pairs.flatMap(([name, value]) => [value].flat().map((each) => [name, String(each)]));
  return new URLSearchParams(written).toString();
}

/** Return what a call was answered with; a refusal ends the program. */
function take<Data>(answer: { data?: Data; error?: { detail: string } }): Data {
  if (answer.data === undefined) {
    throw new Error(answer.error?.detail);
  }
  return answer.data;
}

const person = take(
  await vault.POST("/api/v1/person__sys/", {
    body: { last_name__sys: "Doe", object_type__v: "person__v", external_id__v: "HCP-1" },
  }),
);
const changed = take(
  await vault.PATCH("/api/v1/person__sys/{uid}/", {
    params: { path: { uid: person.uid__sys }, header: { "If-Match": `"${person.version}"` } },
    body: { first_name__sys: "Jo", email__sys: null },
  }),
);
const activity = take(
  await vault.POST("/api/v1/crm_activity__v/", {
    body: {
      person__v: { external_id__v: "HCP-1" },
      study__v: { name__v: study },
      date__v: "2026-03-02",
      channel__v: "phone__v",
      object_type__v: "clinical_activity__v",
    },
  }),
);
const page = take(
  await vault.GET("/api/v1/crm_activity__v/", {
    params: { query: { channel__v: ["phone__v"], sort: "-date__v", size: 10, conditions: { "person__v.status__v": ["active__v"] } } },
  }),
);
const batch = take(
  await vault.POST("/api/v1/person__sys/batch/", {
    body: {
      rows: [
        { operation: "upsert", key: { external_id__v: "HCP-2" }, values: { last_name__sys: "Roe", object_type__v: "person__v" } },
        { operation: "change", key: { uid__sys: person.uid__sys }, version: 1, values: { last_name__sys: "Poe" } },
      ],
    },
  }),
);
const refused = await vault.POST("/api/v1/person__sys/", {
  body: { last_name__sys: "Other", object_type__v: "person__v", external_id__v: "HCP-1" },
});
// Without a null in the types of what every record has, none of these is asked for.
const seen: { name: string; uid: string; owner: string | undefined; channel: "phone__v" | string; status: string } = {
  name: changed.name__v,
  uid: activity.person__v.uid__sys,
  owner: page.results[0]?.ownerid__v?.uid__sys,
  channel: activity.channel__v,
  status: activity.status__v.toUpperCase(),
};
console.log(
  JSON.stringify({
    ...seen,
    count: page.count,
    outcomes: batch.results.map((each) => [each.outcome, each.problem?.code ?? null]),
    refusal: refused.error?.code,
  }),
);
