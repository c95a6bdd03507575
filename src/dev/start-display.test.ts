import { expect, it } from 'vitest';
import { showStart } from './start-display.ts';

it('writes plain lines where there is no terminal', async () => {
  let text = '';
  const display = showStart(['Temporal', 'head nodes'], { write: (more) => (text += more) });
  display.report({ component: 'Temporal', status: 'starting', detail: '', seconds: 0 });
  display.report({ component: 'head nodes', status: 'starting', detail: 'unpacking 10/200', seconds: 3 });
  display.report({ component: 'Temporal', status: 'ready', detail: 'http://127.0.0.1:1', seconds: 1.234 });
  display.announce('Interrupted, stopping …');
  display.report({ component: 'Temporal', status: 'given up', detail: '', seconds: 3.5 });
  display.report({ component: 'head nodes', status: 'failed', detail: 'no disk', seconds: 4 });
  await display.end();
  expect(text).toBe(
    `… head nodes  unpacking 10/200
✔ Temporal    http://127.0.0.1:1 (1.2 s)
… Interrupted, stopping …
– Temporal    given up (3.5 s)
✖ head nodes  no disk (4.0 s)
`,
  );
});
