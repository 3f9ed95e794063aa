package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// net/http reads what we write.
func TestStandardLibraryReads(t *testing.T) {
	out := (&Request{Method: "POST", Target: "/a?b=c", Proto: "HTTP/1.0", Header: Header{{"Host", "ca.lab.example"}}, Body: []byte("xyz")}).Append(nil)
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
	require.NoError(t, err)
	body, err := io.ReadAll(req.Body)
	require.NoError(t, err)
	require.Equal(t, "xyz", string(body))
	require.Equal(t, "c", req.URL.Query().Get("b"))
	require.Equal(t, "ca.lab.example", req.Host)

	out = (&Response{Proto: "HTTP/1.1", Status: 404, Reason: "Not Found", Header: Header{{"Content-Type", "text/plain"}}, Body: []byte("no")}).Append(nil)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	require.NoError(t, err)
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "no", string(body))
	require.Equal(t, "404 Not Found", resp.Status)
	require.Equal(t, "text/plain", resp.Header.Get("Content-Type"))
}

// We read what net/http writes: with a length, in chunks, and to the end of the connection; and each
// beginning of it is incomplete.
func TestReadsStandardLibrary(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "body")
		length := rapid.SampledFrom([]int64{int64(len(want)), -1}).Draw(r, "length")
		resp := http.Response{
			StatusCode: 200, ProtoMajor: 1, ProtoMinor: rapid.IntRange(0, 1).Draw(r, "minor"), Header: http.Header{"Content-Type": {"a/b"}},
			Body: io.NopCloser(bytes.NewReader(want)), ContentLength: length,
		}
		if resp.ProtoMinor == 1 && length < 0 {
			resp.TransferEncoding = []string{"chunked"}
		}
		var b bytes.Buffer
		require.NoError(r, resp.Write(&b))
		got, err := ParseResponse(b.Bytes(), true)
		require.NoError(r, err, "%q", b.Bytes())
		require.Equal(r, string(want), string(got.Body))
		require.Equal(r, "a/b", got.Header.Get("content-TYPE"))
		_, err = ParseResponse(b.Bytes()[:rapid.IntRange(0, b.Len()-1).Draw(r, "part")], false)
		require.ErrorIs(r, err, ErrIncomplete)
	})
	req, err := http.NewRequest("POST", "http://ca/certsrv?operation=PKIOperation", strings.NewReader("abc"))
	require.NoError(t, err)
	out, err := httputil.DumpRequestOut(req, true)
	require.NoError(t, err)
	got, err := ParseRequest(out)
	require.NoError(t, err)
	require.Equal(t, "abc", string(got.Body))
	u, err := got.URL()
	require.NoError(t, err)
	require.Equal(t, "PKIOperation", u.Query().Get("operation"))
}

func TestMistakes(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\n"
	for _, tc := range []struct{ in, want string }{
		{"", "not complete"},
		{strings.Repeat("x", MaxHead+5), "a header of more than 65536 octets"},
		{"SSH-2.0-x\r\n\r\n", `the first line of an answer is "SSH-2.0-x"`},
		{"HTTP/1.1 100 Continue\r\n\r\n", "the first line"},
		{"HTTP/2.0 200 OK\r\n\r\n", "the first line"},
		{head + "no colon\r\n\r\n", `a line of the header is "no colon"`},
		{head + "a: b\nc: d\r\n\r\n", "a line of the header"},
		{head + " folded: x\r\n\r\n", "a line of the header"},
		{head + "Content-Length: -1\r\n\r\n", `the length "-1"`},
		{head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", `the length "2"`},
		{head + "Content-Length: 99999999999\r\n\r\n", "more than 4194304 octets"},
		{head + "Transfer-Encoding: gzip\r\n\r\n", "not supported"},
		{head + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "both a length and chunks"},
		{head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "of a chunk"},
		{head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "does not end where it says"},
		{head + "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", "more than 4194304 octets"},
		{head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 300), "too long"},
		{head + "\r\nbody", "not complete"},
	} {
		_, err := ParseResponse([]byte(tc.in), false)
		require.ErrorContains(t, err, tc.want, "%.80q", tc.in)
	}
	for _, in := range []string{"GET / HTTP/1.1 x\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET /\r\n\r\n"} {
		_, err := ParseRequest([]byte(in))
		require.ErrorContains(t, err, "the first line of a request", in)
	}
	_, err := (&Request{Target: "no url"}).URL()
	require.Error(t, err)
}

// What we read, net/http reads as we do, where it reads it at all.
func FuzzParse(f *testing.F) {
	f.Add([]byte("GET /certsrv/mscep/mscep.dll?operation=GetCACert&message=x HTTP/1.0\r\nHost: ca\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRequest(b); err == nil {
			_, _ = r.URL()
			again, err := ParseRequest((&Request{Method: r.Method, Target: r.Target, Proto: r.Proto, Body: r.Body}).Append(nil))
			require.NoError(t, err)
			require.Equal(t, string(r.Body), string(again.Body))
		}
		r, err := ParseResponse(b, true)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(r.Body), MaxBody)
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil || std.StatusCode != r.Status {
			return
		}
		body, err := io.ReadAll(std.Body)
		if err == nil && !errors.Is(err, io.ErrUnexpectedEOF) && !std.Uncompressed {
			require.Equal(t, string(body), string(r.Body))
		}
	})
}
