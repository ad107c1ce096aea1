"""Addresses and views of the project."""

import asyncio

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path, reverse


def index(request):
    return HttpResponse("<h1>Django</h1>")


def where(request):
    return JsonResponse(
        {
            "url": request.build_absolute_uri(),
            "reverse": reverse("order"),
            "peer": request.META["REMOTE_ADDR"],
            "secure": request.is_secure(),
            "token": get_token(request),
        }
    )


def order(request):
    request.session["orders"] = request.session.get("orders", 0) + 1
    return JsonResponse({"size": len(request.POST["what"]), "orders": request.session["orders"]})


async def later(request):
    await asyncio.sleep(0.01)
    return HttpResponse("later")


def stream(request):
    return StreamingHttpResponse((f"{n}\n" * 1000 for n in range(100)), content_type="text/plain")


urlpatterns = [
    path("", index),
    path("where", where),
    path("order", order, name="order"),
    path("later", later),
    path("stream", stream),
]
