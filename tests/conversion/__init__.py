"""Proof: no word of a document is lost, changed, moved or joined on its way into a note, and none is added.

    python -m tests.conversion --examples 50000 --jobs 2

Documents are made from a model that knows which words a reader sees (`documents`), rendered, validated and sanitised
as the harshest account would, and read back without the product's own code (`reading`). `hostile` makes documents
that nobody would write, `notes` takes real ones, `clinic_markdown` and `clinic_html` those of a practice.
"""
