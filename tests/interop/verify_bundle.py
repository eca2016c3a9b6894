#!/usr/bin/env python3
"""Checks an evidence bundle with no code of ours: COSE by cwt, CBOR by cbor2, X.509 by OpenSSL.

    verify_bundle.py purchase.kozeni root.pem

The form of the bundle is `evidence-bundle` in docs/protocol.md section 13. Prints a line for each
thing that it checked and the counts last; ends with 1 when one of them failed. Each signature is
checked a second time with every byte changed in turn, which must fail every time: a check that
lets everything through is noticed.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cwt import COSE, COSEKey

# Labels of the bundle.
ORDER_REQUEST, ORDER, CARD_CHAIN, LINES, INVOICE, REQUEST, PERMIT, DEBIT = range(1, 9)
RECEIPT, COMPLETION, LISTS, STAGE = range(9, 13)
STAGE_COMPLETE = 2
# Labels of COSE headers.
ALG, KID, X5CHAIN = 1, 4, 33
ES256 = -7
# Labels of a COSE_Key.
KEY_KID, KEY_X = 2, -2
# Labels of the payloads.
INVOICE_LINES, INVOICE_PAYMENT_CHAIN, INVOICE_REQUEST = 3, 11, 15
RECEIPT_TIME, RECEIPT_INVOICE, RECEIPT_DEBIT = 9, 10, 11
ORDER_HASH, REQUEST_INVOICE, COMPLETION_RECEIPT = 18, 6, 2
# The leftmost bytes of the key's identifier, as records carry it.
KID_LENGTH = 8


class Report:
    """One line for each check, and how many there were."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, action):
        """Runs the action, which raises where something does not stand, and returns its result."""
        try:
            result = action()
        except Exception as error:  # every library has its own
            self.fail(what, error)
            return None
        self.passed += 1
        print(f"passed  {what}")
        return result

    def part(self, what, action):
        """Runs checks of which some are not even possible when documents lack what they need."""
        try:
            action()
        except Exception as error:  # missing labels, other types: whatever the form is not
            self.fail(f"{what}: not all could be checked", error)

    def fail(self, what, error):
        """Counts and says what does not stand."""
        self.failed += 1
        words = " ".join(str(error).split())
        print(f"FAILED  {what}: {type(error).__name__}: {words}")

    def end(self):
        """Prints the counts; the program's exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def expect(condition, otherwise):
    """Unlike an assertion, also there when Python optimises."""
    if not condition:
        raise ValueError(otherwise)


def flipped(data, place):
    """The same bytes, one of them changed."""
    return data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :]


def protected_header(document):
    """What a document or record says about its signer; only a claim."""
    return cbor2.loads(cbor2.loads(document).value[0])


def payload(document):
    """What was signed, as claims."""
    return cbor2.loads(cbor2.loads(document).value[2])


def structure_hash(document):
    """SHA-256 of the Sig_structure (RFC 9052 section 4.4): how documents name each other."""
    protected, _, content, _ = cbor2.loads(document).value
    return hashlib.sha256(cbor2.dumps(["Signature1", protected, b"", content])).digest()


def key_of(certificate):
    """The certificate's key, under the kid that records name it by."""
    leaf = x509.load_der_x509_certificate(certificate)
    identifier = leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return COSEKey.from_pem(leaf.public_bytes(Encoding.PEM), kid=identifier[:KID_LENGTH])


def verify_signature(document, key):
    """cwt verifies the signature; what it opened must be what stands in the document."""
    expect(document[:2] == b"\xd2\x84", "no tagged COSE_Sign1")
    protected, unprotected, content = COSE.new().decode_with_headers(document, key)
    expect(protected[ALG] == ES256, f"algorithm {protected[ALG]}")
    expect(not unprotected, "the unprotected header is not empty")
    expect((KID in protected) != (X5CHAIN in protected), "neither record nor document")
    expect(KID not in protected or protected[KID] == key.kid, "the kid is another key's")
    expect(cbor2.loads(content) == payload(document), "another payload")


def passes(action):
    """Whether the action does not raise."""
    try:
        action()
    except Exception:  # a changed byte may break anything
        return False
    return True


def reject_changes(document, key):
    """Every byte, changed alone, must make the check fail."""
    for place in range(len(document)):
        changed = flipped(document, place)
        expect(not passes(lambda: verify_signature(changed, key)), f"byte {place} does not matter")


def reject_other_keys(document, key, keys):
    """No other party's key verifies this, even where it claims the same kid."""
    for other in keys:
        parameters = other.to_dict()
        if parameters[KEY_X] == key.to_dict()[KEY_X]:
            continue
        parameters[KEY_KID] = key.kid
        claimed = COSEKey.new(parameters)
        expect(not passes(lambda: verify_signature(document, claimed)), "another key verifies it")


def expect_refusal(action, words):
    """The action must raise, and for this reason."""
    try:
        action()
    except ValueError as error:
        expect(words in str(error), f"refused for another reason: {error}")
        return
    raise ValueError("a changed byte does not matter")


def openssl(*arguments):
    """OpenSSL's output, of both kinds; some of its failures are only words."""
    ended = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    words = ended.stdout + ended.stderr
    expect(ended.returncode == 0, f"openssl {arguments[0]}: {words.strip()}")
    return words


class Certificates:
    """OpenSSL's view of chains and lists, by files in a folder of its own."""

    def __init__(self, folder, root, lists, time):
        self.folder = folder
        self.root = root
        self.time = time
        self.lists = folder / "lists.pem"
        pems = [x509.load_der_x509_crl(one).public_bytes(Encoding.PEM) for one in lists]
        self.lists.write_bytes(b"".join(pems))

    def pem(self, name, certificate):
        """Writes a certificate as OpenSSL likes it."""
        path = self.folder / name
        path.write_bytes(x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))
        return path

    def verify_chain(self, chain, *more):
        """Root, issuing CA of the chain, leaf; at the time of the receipt."""
        expect(len(chain) == 2, f"{len(chain)} certificates")
        leaf, issuing = self.pem("leaf.pem", chain[0]), self.pem("issuing.pem", chain[1])
        trust = ["-CAfile", self.root, "-untrusted", issuing, "-no-CApath", "-no-CAstore"]
        said = openssl("verify", "-x509_strict", "-attime", self.time, *trust, *more, leaf)
        expect(said.strip() == f"{leaf}: OK", said.strip())

    def verify_chain_and_lists(self, chain):
        """The same, with a list for every certificate of the chain."""
        self.verify_chain(chain, "-crl_check_all", "-CRLfile", self.lists)

    def reject_changed_chain(self, chain):
        """A byte of either certificate's signature is changed."""
        for place, certificate in enumerate(chain):
            changed = list(chain)
            changed[place] = flipped(certificate, len(certificate) - 1)
            expect_refusal(lambda: self.verify_chain(changed), "certificate signature failure")

    def verify_list(self, revocations, issuers):
        """The list's signature, under the root or an issuing CA."""
        path, trust = self.folder / "list.crl", self.folder / "issuers.pem"
        path.write_bytes(revocations)
        pems = [self.pem("issuing.pem", one).read_bytes() for one in issuers]
        trust.write_bytes(self.root.read_bytes() + b"".join(pems))
        trusted = ["-CAfile", trust, "-no-CApath", "-no-CAstore"]
        said = openssl("crl", "-in", path, "-inform", "DER", "-noout", *trusted)
        expect(said.strip() == "verify OK", said.strip())

    def reject_changed_list(self, revocations, issuers):
        """A byte of the list's signature is changed."""
        changed = flipped(revocations, len(revocations) - 1)
        expect_refusal(lambda: self.verify_list(changed, issuers), "verify failure")


def check_signatures(report, bundle):
    """Every document and record, each with the key that must have signed it."""
    chain_in = lambda label: protected_header(bundle[label])[X5CHAIN]
    card = key_of(bundle[CARD_CHAIN][0])
    payment, shop = key_of(chain_in(RECEIPT)[0]), key_of(chain_in(INVOICE)[0])
    signed = [
        ("order", ORDER, card),
        ("invoice", INVOICE, shop),
        ("request (signature 52)", REQUEST, card),
        ("permit", PERMIT, payment),
        ("debit record", DEBIT, card),
        ("receipt", RECEIPT, payment),
    ]
    if bundle[STAGE] == STAGE_COMPLETE:
        signed.append(("completion", COMPLETION, key_of(chain_in(COMPLETION)[0])))
    for name, label, key in signed:
        document = bundle[label]
        report.check(f"{name}: cwt verifies the signature", lambda: verify_signature(document, key))
        report.check(
            f"{name}: each of {len(document)} bytes matters", lambda: reject_changes(document, key)
        )
        report.check(
            f"{name}: no other party's key verifies it",
            lambda: reject_other_keys(document, key, [card, payment, shop]),
        )


def check_hashes(report, bundle):
    """How the documents of one purchase name each other."""
    sha256 = lambda content: hashlib.sha256(content).digest()
    invoice, receipt = payload(bundle[INVOICE]), payload(bundle[RECEIPT])
    request_hash = sha256(bundle[ORDER_REQUEST])
    invoice_hash = structure_hash(bundle[INVOICE])
    # A line that was erased stands as an empty string; its hash is all that is left.
    named = zip(bundle[LINES], invoice[INVOICE_LINES], strict=True)
    links = [
        ("order names the order request", payload(bundle[ORDER])[ORDER_HASH], request_hash),
        ("invoice names the order request", invoice[INVOICE_REQUEST], request_hash),
        ("request names the invoice", payload(bundle[REQUEST])[REQUEST_INVOICE], invoice_hash),
        ("receipt names the invoice", receipt[RECEIPT_INVOICE], invoice_hash),
        ("receipt names the debit", receipt[RECEIPT_DEBIT], structure_hash(bundle[DEBIT])),
    ]
    links += [
        (f"invoice names order line {number}", in_invoice, sha256(line))
        for number, (line, in_invoice) in enumerate(named, 1)
        if line
    ]
    if bundle[STAGE] == STAGE_COMPLETE:
        in_completion = payload(bundle[COMPLETION])[COMPLETION_RECEIPT]
        links.append(
            ("completion names the receipt", in_completion, structure_hash(bundle[RECEIPT]))
        )
    for name, named_hash, real_hash in links:
        report.check(name, lambda: expect(named_hash == real_hash, "by another hash"))


def check_certificates(report, bundle, root, folder):
    """Every chain and every list, by OpenSSL."""
    chains = {
        "card": bundle[CARD_CHAIN],
        "invoice": protected_header(bundle[INVOICE])[X5CHAIN],
        "payment server, in the invoice": payload(bundle[INVOICE])[INVOICE_PAYMENT_CHAIN],
        "receipt": protected_header(bundle[RECEIPT])[X5CHAIN],
    }
    if bundle[STAGE] == STAGE_COMPLETE:
        chains["completion"] = protected_header(bundle[COMPLETION])[X5CHAIN]
    time = payload(bundle[RECEIPT])[RECEIPT_TIME]
    certificates = Certificates(folder, root, bundle[LISTS], time)
    for name, chain in chains.items():
        for what, action in [
            ("openssl verifies it", certificates.verify_chain),
            ("openssl finds nothing revoked", certificates.verify_chain_and_lists),
            ("a changed byte is refused", certificates.reject_changed_chain),
        ]:
            report.check(f"chain of {name}: {what}", lambda: action(chain))
    issuers = sorted({chain[1] for chain in chains.values()})
    for number, revocations in enumerate(bundle[LISTS], 1):
        for what, action in [
            ("openssl verifies it", certificates.verify_list),
            ("a changed byte is refused", certificates.reject_changed_list),
        ]:
            report.check(f"list {number}: {what}", lambda: action(revocations, issuers))


def main(arguments):
    """Checks one bundle; the program's exit status."""
    if len(arguments) != 2:
        print("usage: verify_bundle.py BUNDLE ROOT.pem", file=sys.stderr)
        return 2
    report = Report()
    bundle = report.check("bundle is CBOR", lambda: cbor2.loads(Path(arguments[0]).read_bytes()))
    if bundle is not None:
        report.part("signatures", lambda: check_signatures(report, bundle))
        report.part("hashes", lambda: check_hashes(report, bundle))
        with tempfile.TemporaryDirectory(prefix="kozeni-interop-") as folder:
            place, root = Path(folder), Path(arguments[1])
            report.part(
                "certificates", lambda: check_certificates(report, bundle, root, place)
            )
    return report.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
