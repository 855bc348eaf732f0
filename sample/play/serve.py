"""Serve the page, and the book beside it."""

import gradio as gr
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from sample.play.page import BOOK, HERE, build

LOOK = {"primary_hue": "blue", "secondary_hue": "blue", "neutral_hue": "slate",
        "font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}


def serve(options, block=True):
    """Serve the page as PlayOptions say, until Ctrl-C; or return it at once, running."""
    page = build(options.device)
    app, address, _ = page.launch(
        server_name=options.host, server_port=options.port, share=options.share,
        inbrowser=options.browser, prevent_thread_lock=True, quiet=True, footer_links=[],
        theme=gr.themes.Default(**LOOK), css_paths=HERE / "play.css", max_file_size="1mb",
        enable_monitoring=False, run_history=False, ssr_mode=False, pwa=False, mcp_server=False,
    )
    if options.share and not page.share_url:
        page.close()
        raise ValueError("no public address could be made; check the network, or drop --share")
    if BOOK.is_dir():
        app.router.routes.insert(0, Mount("/book", StaticFiles(directory=BOOK, html=True)))
    print(f"the playground is at {page.share_url or address}; Ctrl-C ends it", flush=True)
    if block:
        page.block_thread()
    return page
