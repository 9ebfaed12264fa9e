"""uvicorn on the socket that it is given, which answers whatever it has accepted before it ends."""

import asyncio

import uvicorn

stopping = False


async def app(scope, receive, send):
    headers = [(b"content-length", b"3")]
    if stopping:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok\n"})


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        """uvicorn's own closes connections whose request it has yet to read, and tells nobody that it closes those it keeps."""
        global stopping
        stopping = True
        for server in self.servers:
            server.close()
        # What was accepted last becomes a connection within a few turns of the loop.
        for _ in range(10):
            await asyncio.sleep(0)
        while self.server_state.connections:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)


config = uvicorn.Config(app, fd=3, lifespan="off", log_level="info", access_log=False)
Server(config).run()
