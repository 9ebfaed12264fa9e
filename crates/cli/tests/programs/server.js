// `node server.js PORT` leaves the stop signals to node; `node server.js PORT handled` closes the server first.
const server = require('node:http').createServer((request, response) => response.end('here\n'));
server.listen(Number(process.argv[2]), '127.0.0.1');
if (process.argv[3] === 'handled') {
  process.on('SIGTERM', () => server.close());
}
