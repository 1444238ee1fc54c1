// nodemailer as a rival of smtp_rivals.py: one job as JSON on standard input, the figures as JSON on standard output.
// Emails stand in line for the pool, so that no connection waits for the next one to be made.
const nodemailer = require('nodemailer');
const fs = require('fs');
const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const pool = nodemailer.createTransport({
  host: '127.0.0.1', port: job.port, secure: false, ignoreTLS: true, name: 'bench.example.com',
  pool: true, maxConnections: job.connections, maxMessages: Infinity,
});
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function send(number) {
  const values = {
    first_name: 'Sam', name: `Sam O'Neill ${number}`, address: `student${number}@example.com`,
  };
  return pool.sendMail({
    from: {name: job.sender_name, address: job.sender},
    to: {name: values.name, address: values.address},
    cc: job.copies, subject: fill(job.subject, values), text: fill(job.text, values),
    messageId: `<C${number}.benchmark@example.com>`,
  });
}

async function run(seconds, least) {
  const end = performance.now() + 1000 * seconds;
  let number = 0;
  async function line() {
    while (number < least || performance.now() < end) await send(++number);
  }
  await Promise.all(Array.from({length: 2 * job.connections}, line));
  return number;
}

(async () => {
  await run(0, job.warm_up);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const emails = await run(job.seconds, job.least);
  const taken = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const status = fs.existsSync('/proc/self/status') ? fs.readFileSync('/proc/self/status', 'ascii') : '';
  const largest = /VmHWM:\s+(\d+)/.exec(status);
  console.log(JSON.stringify({
    emails, seconds: taken / emails, cpu_seconds: (used.user + used.system) / 1e6 / emails,
    mb: largest ? Number(largest[1]) / 1024 : 0, grown_mb: 0,
  }));
  pool.close();
})();
