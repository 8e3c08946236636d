// A fresh server with a key, and a browser that reaches nothing but it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const BINARY = fileURLToPath(new URL('../../target/debug/leasehold', import.meta.url));
export const KEY = 'lh-browser-test-admin-key';

export async function startService() {
  const dir = await mkdtemp(join(tmpdir(), 'leasehold-browser-'));
  const args = ['serve', '--listen', '127.0.0.1:0', '--data-dir', join(dir, 'data')];
  const server = spawn(BINARY, args, {
    env: { ...process.env, LEASEHOLD_API_KEY: KEY },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let url;
  for await (const line of createInterface({ input: server.stdout })) {
    url = line.match(/listening on (http:\/\/\S+)/)?.[1];
    if (url) break;
  }
  if (!url) throw new Error('the server ended before it was ready');
  const stop = async () => {
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    await exited;
    await rm(dir, { recursive: true });
  };
  return { url, stop };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
