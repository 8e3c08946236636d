// The docs page as a person uses it: it loads without a network, takes a key, and tries calls.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KEY, startBrowser, startService } from './service.mjs';

let service;
let browser;

before(async () => {
  service = await startService();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await service?.stop();
});

async function openDocs() {
  const page = await browser.newPage();
  const elsewhere = [];
  const problems = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(service.url) && !url.startsWith('data:')) elsewhere.push(url);
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(`${service.url}/docs`);
  await page.getByText('/v1/distributed_lock/{lock_id}', { exact: true }).first().waitFor();
  return { page, elsewhere, problems };
}

// Opens a call, fills its parameters in, sends it, and gives the status that came back.
async function tryCall(page, operation, parameters) {
  const call = page.locator(`[id$="-${operation}"]`);
  await call.locator('.opblock-summary-control').click();
  await call.getByRole('button', { name: 'Try it out' }).click();
  for (const [name, value] of Object.entries(parameters)) {
    const field = call.locator(`tr[data-param-name="${name}"]`).locator('input, select').first();
    if ((await field.evaluate((element) => element.tagName)) === 'SELECT') {
      await field.selectOption(value);
    } else {
      await field.fill(value);
    }
  }
  await call.getByRole('button', { name: 'Execute' }).click();
  const status = call.locator('.live-responses-table .response-col_status').nth(1);
  await status.waitFor();
  return (await status.innerText()).trim().split(/\s/)[0];
}

test('the docs page loads from the service alone', async () => {
  const { page, elsewhere, problems } = await openDocs();
  assert.equal(new URL(page.url()).pathname, '/v1/docs');
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(problems, []);
  await page.close();
});

test('a person can enter a key and try calls', async () => {
  const { page, elsewhere } = await openDocs();
  const lock = { lock_id: 'from the browser' };
  const hold = { ...lock, process_id: 'me' };
  assert.equal(await tryCall(page, 'get_lock', lock), '401');

  await page.getByRole('button', { name: 'Authorize' }).first().click();
  const dialog = page.locator('.modal-ux');
  await dialog.locator('input').first().fill(KEY);
  await dialog.getByRole('button', { name: 'Apply credentials' }).first().click();
  await dialog.getByRole('button', { name: 'Close' }).first().click();

  assert.equal(await tryCall(page, 'create_lock', { ...lock, is_exclusive: 'true' }), '201');
  assert.equal(await tryCall(page, 'acquire_write', { ...hold, timeout_seconds: '30' }), '200');
  assert.equal(await tryCall(page, 'acquire_read', { ...lock, process_id: 'other' }), '409');
  assert.equal(await tryCall(page, 'release_write', hold), '200');
  assert.deepEqual(elsewhere, []);
  await page.close();
});
