package stun

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	require.NoError(t, err)
	return b
}

// RFC 5769, Sections 2.1 to 2.3: the messages with short-term credentials.
const (
	sampleRequest = `
		00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
		00 24 00 04 6e 00 01 ff
		80 29 00 08 93 2f f9 b1 51 26 3b 36
		00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
		00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
		80 28 00 04 e5 7a 3b cf`
	sampleIPv4 = `
		01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 08 00 01 a1 47 e1 12 a6 43
		00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
		80 28 00 04 c0 7d 4c 96`
	sampleIPv6 = `
		01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
		80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
		00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
		00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
		80 28 00 04 c8 fb 0b 4c`
)

var sampleID = TransactionID{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}

// fingerprinted is the message with a fingerprint as its last attribute, by which
// it can be told from other messages on the same port.
func fingerprinted(m Message) []byte {
	dst := m.Append(nil)
	// The length already counts the fingerprint when the sum is taken: RFC 8489, Section 14.7.
	sum := fingerprint(dst)
	binary.BigEndian.PutUint16(dst[2:], uint16(len(dst)-headerLen+8))
	dst = binary.BigEndian.AppendUint16(dst, uint16(Fingerprint))
	dst = binary.BigEndian.AppendUint16(dst, 4)
	return append(dst, sum...)
}

func TestRFC5769(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		class       Class
		software    string
		mapped      netip.AddrPort
	}{
		{"request", sampleRequest, Request, "STUN test client", netip.AddrPort{}},
		{"IPv4 response", sampleIPv4, Success, "test vector", netip.MustParseAddrPort("192.0.2.1:32853")},
		{"IPv6 response", sampleIPv6, Success, "test vector", netip.MustParseAddrPort("[2001:db8:1234:5678:11:2233:4455:6677]:32853")},
	} {
		b := bytesOf(t, c.bytes)
		m, err := Parse(b) // which checks the fingerprint
		require.NoError(t, err, c.name)
		require.Equal(t, []any{Binding, c.class, sampleID}, []any{m.Method, m.Class, m.ID}, c.name)
		software, _ := m.Get(Software)
		require.Equal(t, c.software, string(software), c.name)
		mapped, ok := m.Addr(XORMappedAddress)
		require.Equal(t, c.mapped.IsValid(), ok, c.name)
		require.Equal(t, c.mapped, mapped, c.name)

		// The same again: the sample pads with spaces, and the fingerprint covers that.
		again := m
		again.Attributes = m.Attributes[:len(m.Attributes)-1]
		written := fingerprinted(again)
		require.Len(t, written, len(b), c.name)
		read, err := Parse(written)
		require.NoError(t, err, c.name)
		require.Equal(t, m.Attributes[:len(m.Attributes)-1], read.Attributes[:len(m.Attributes)-1], c.name)
		for n := range b {
			_, err := Parse(b[:n])
			require.Error(t, err, "%s, %d bytes", c.name, n)
		}
	}
}

// Whoever alters a byte of a message breaks its form or its fingerprint.
func TestFingerprint(t *testing.T) {
	b := bytesOf(t, sampleIPv4)
	for i := range b {
		altered := bytes.Clone(b)
		altered[i] ^= 0x20
		if m, err := Parse(altered); err == nil { // the fingerprint has become something else
			_, ok := m.Get(Fingerprint)
			require.False(t, ok, "byte %d", i)
		}
	}
}

// behaviour is a message with every attribute of RFC 5780 and those of the lab's servers.
func behaviour() Message {
	m := Message{Method: Binding, Class: Success, ID: sampleID}
	m.AddAddr(MappedAddress, netip.MustParseAddrPort("192.0.2.1:32853"))
	m.AddAddr(XORMappedAddress, netip.MustParseAddrPort("192.0.2.1:32853"))
	m.AddAddr(ResponseOrigin, netip.MustParseAddrPort("198.51.100.10:3478"))
	m.AddAddr(OtherAddress, netip.MustParseAddrPort("198.51.100.20:3479"))
	m.AddChange(true, false)
	m.AddResponsePort(40001)
	m.Add(Padding, make([]byte, 13))
	return m
}

func TestBehaviourAttributes(t *testing.T) {
	m, err := Parse(behaviour().Append(nil))
	require.NoError(t, err)
	require.Equal(t, behaviour(), m)
	ip, port, ok := m.Change()
	require.Equal(t, []bool{true, false, true}, []bool{ip, port, ok})
	to, there, ok := m.Response()
	require.Equal(t, []any{uint16(40001), true, true}, []any{to, there, ok})
	mapped, _ := m.Addr(MappedAddress)
	xor, _ := m.Addr(XORMappedAddress)
	require.Equal(t, mapped, xor)
	plain, _ := m.Get(MappedAddress)
	hidden, _ := m.Get(XORMappedAddress)
	require.NotEqual(t, plain[2:], hidden[2:])
	require.Equal(t, []Type{ResponsePort, Padding}, m.Unknown(MappedAddress, XORMappedAddress, ChangeRequest))
}

func TestErrorResponse(t *testing.T) {
	m := Message{Method: Binding, ID: sampleID}.Reply(Failure)
	m.AddError(420, "Unknown Attribute")
	m.AddUnknown([]Type{ChangeRequest})
	read, err := Parse(fingerprinted(m))
	require.NoError(t, err)
	require.Equal(t, Failure, read.Class)
	code, _ := read.Get(ErrorCode)
	require.Equal(t, "\x00\x00\x04\x14Unknown Attribute", string(code)) // RFC 8489, Section 14.8
	unknown, _ := read.Get(UnknownAttributes)
	require.Equal(t, []byte{0, 3}, unknown)
}

// Attributes of another length than they must have are none.
func TestMalformedAttributes(t *testing.T) {
	m := Message{Method: Binding, ID: sampleID}
	for _, typ := range []Type{MappedAddress, ChangeRequest, ResponsePort} {
		m.Add(typ, []byte{0, 1, 2})
	}
	m, err := Parse(m.Append(nil))
	require.NoError(t, err)
	_, ok := m.Addr(MappedAddress)
	require.False(t, ok)
	_, _, ok = m.Change()
	require.False(t, ok)
	_, there, ok := m.Response()
	require.Equal(t, []bool{true, false}, []bool{there, ok})
}

func TestMethodsAndClasses(t *testing.T) {
	for method := range Method(1 << 12) {
		for class := range Class(4) {
			m, err := Parse(Message{Method: method, Class: class}.Append(nil))
			require.NoError(t, err)
			require.Equal(t, Message{Method: method, Class: class}, m)
		}
	}
	// RFC 8656, Section 17: a Send indication is 0x0016.
	require.Equal(t, []byte{0x00, 0x16}, Message{Method: Send, Class: Indication}.Append(nil)[:2])
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{sampleRequest, sampleIPv4, sampleIPv6} {
		f.Add(bytesOf(f, s))
	}
	f.Add(behaviour().Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		for _, a := range m.Attributes {
			m.Addr(a.Type)
		}
		m.Change()
		m.Response()
		written := m.Append(nil)
		require.Len(t, written, len(b))
		again, err := Parse(written)
		if err == errFingerprint {
			return // it covers what pads the attributes, for which zeros are written
		}
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
