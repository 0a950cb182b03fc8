"""What is made from the types for readers of any language: schemas, AsyncAPI documents, pages, tables, the changelog.

Everything here is pure: from the manifest, the golden samples and the releases to the text of a file.
`tonetouch_contracts.generating` writes them.
"""
