"""Bytes ⇄ frames and events on the wire; standard library only.

* :mod:`.frame` and :mod:`.headers`: one message of AWS's event-stream format, and its header block
* :mod:`.decoder`: event-stream bytes, cut anywhere → frames
* :mod:`.inspection`: the same for people who look: what is wrong where, and what comes after
* :mod:`.sse`: Server-Sent Events, both ways

The machines do no input or output: bytes go in with ``receive_data``, one thing at a time comes out of ``next_…``,
and ``receive_eof`` says that nothing more will come.
"""
