"""A FastAPI application: validated bodies, dependencies, a sync view in a thread, a WebSocket."""

from fastapi import Depends, FastAPI, Header, WebSocket
from pydantic import BaseModel

app = FastAPI()


class Order(BaseModel):
    """What is ordered."""

    what: str
    count: int = 1


def agent(user_agent: str = Header()) -> str:
    return user_agent


@app.post("/orders", status_code=201)
async def make(order: Order, who: str = Depends(agent)):
    return {"what": order.what * order.count, "who": who}


@app.get("/sync/{number}")
def sync(number: int):
    return {"number": number}


@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    while True:
        await socket.send_bytes(await socket.receive_bytes())
