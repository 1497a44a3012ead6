// Keep a copy of the sites that you see, in a JSON file. Run it every night, or every minute.
//
//     npm install openapi-fetch openapi-typescript typescript @types/node
//     curl -H "Authorization: Bearer $VAULT_TOKEN" -H "Accept: application/vnd.oai.openapi+json" \
//         https://vault.example.org/api/v1/schema/ -o openapi.json
//     npx openapi-typescript openapi.json --output vault.d.ts
//     npx tsc --strict --target es2022 --module nodenext --types node nightly_delta.ts
//     VAULT_TOKEN=vault_… node nightly_delta.js https://vault.example.org sites.json
//
// It asks the Vault what happened since the last time: what was created, changed or deleted, and what you see now or
// do not see any more. Each page is stored together with the bookmark for the next one, so a run that breaks off goes
// on where it was. Needs a package.json with "type": "module".
import { readFile, rename, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./vault.js";

type Site = components["schemas"]["site__v"];
type Page = components["schemas"]["site__v_changes"];

interface Copy {
  bookmark: string | null;
  sites: Record<string, Site>;
  told: string[] | null; // uids, while all sites are told; what is not among them at the end is gone
}

const TRIES = 5;

async function readCopy(path: string): Promise<Copy> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Copy;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { bookmark: null, sites: {}, told: null };
    }
    throw error;
  }
}

/** Store the whole copy or nothing of it. */
async function writeCopy(path: string, copy: Copy): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(copy));
  await rename(`${path}.new`, path);
}

/** Bring the copy to where the page tells. */
function applyPage(copy: Copy, page: Page): void {
  if (page.reset) {
    copy.told = [];
  }
  for (const { uid__sys: uid, record } of page.results) {
    if (record === null) {
      delete copy.sites[uid];
    } else {
      copy.sites[uid] = record;
      copy.told?.push(uid);
    }
  }
  if (!page.more && copy.told !== null) {
    const told = new Set(copy.told);
    copy.sites = Object.fromEntries(Object.entries(copy.sites).filter(([uid]) => told.has(uid)));
    copy.told = null;
  }
  copy.bookmark = page.bookmark;
}

/** Return a page of what happened. Where the Vault asks to wait, wait as long as it says and ask again. */
async function askForPage(vault: ReturnType<typeof createClient<paths>>, bookmark: string | null): Promise<Page> {
  const query = bookmark === null ? {} : { since: bookmark };
  for (let tries = 1; ; tries += 1) {
    const { data, error, response } = await vault.GET("/api/v1/site__v/changes/", { params: { query } });
    if (data !== undefined) {
      return data;
    }
    if (![429, 503].includes(response.status) || tries === TRIES) {
      throw new Error(`${response.status} ${error.code ?? ""}: ${error.detail}`);
    }
    await setTimeout(Number(response.headers.get("Retry-After") ?? "10") * 1000);
  }
}

const [address, path] = process.argv.slice(2);
const token = process.env["VAULT_TOKEN"];
if (address === undefined || path === undefined || token === undefined) {
  throw new Error("Say the address of the Vault and the file of the copy, and put a token into VAULT_TOKEN.");
}
const vault = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });
const copy = await readCopy(path);
let pages = 0;
for (let more = true; more; pages += 1) {
  const page = await askForPage(vault, copy.bookmark);
  applyPage(copy, page);
  await writeCopy(path, copy);
  more = page.more;
}
console.log(`${Object.keys(copy.sites).length} sites after ${pages} pages`);
