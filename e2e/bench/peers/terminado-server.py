"""terminado as its own demo uses it: a terminal for each connection. Argument: the port."""

import logging
import sys

import tornado.ioloop
import tornado.web
from terminado import TermSocket, UniqueTermManager


class Health(tornado.web.RequestHandler):
    def get(self):
        self.write("ok")


logging.getLogger("tornado.access").setLevel(logging.ERROR)
manager = UniqueTermManager(shell_command=["bash"])
application = tornado.web.Application(
    [(r"/websocket", TermSocket, {"term_manager": manager}), (r"/healthz", Health)]
)
application.listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
