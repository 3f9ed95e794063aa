// Package http1 is HTTP/1.0 and 1.1 (RFC 2616) as far as fetching needs it: one
// request and one answer on a connection. It reads octets as they come, says when
// they are not enough yet, and knows neither connections nor time. The standard library's
// net/http is made of the machine's, which no world may reach.
//
// Bodies have a Content-Length, come in chunks, or last until the end of the
// connection. Left out: further requests on a connection, continued header lines,
// trailers, ranges, and answers of 1xx before the final one.
package http1

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// What is read is bounded, in octets.
const (
	MaxHead = 64 << 10 // lines before the body; the messages of SCEP stand in the first one
	MaxBody = 4 << 20
)

// Field is a line of a header.
type Field struct{ Name, Value string }

// Header is the lines of a header, in their order.
type Header []Field

// Get is the value of the first line of a name, in any case; "": there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Request is a request.
type Request struct {
	Method string
	Target string // as it stands in the first line
	Proto  string // HTTP/1.0 or HTTP/1.1
	Header Header
	Body   []byte
}

// URL is the target, read.
func (r *Request) URL() (*url.URL, error) {
	u, err := url.ParseRequestURI(r.Target)
	if err != nil {
		return nil, fmt.Errorf("http1: the target is no URL: %w", err)
	}
	return u, nil
}

// Append adds the request in its form on the wire, with Content-Length where it has a body.
func (r *Request) Append(b []byte) []byte {
	b = fmt.Appendf(b, "%s %s %s\r\n", r.Method, r.Target, r.Proto)
	return appendRest(b, r.Header, r.Body, len(r.Body) > 0)
}

// Response is an answer.
type Response struct {
	Proto  string
	Status int
	Reason string // in words
	Header Header
	Body   []byte
}

// Append adds the answer in its form on the wire, with Content-Length.
func (r *Response) Append(b []byte) []byte {
	b = fmt.Appendf(b, "%s %03d %s\r\n", r.Proto, r.Status, r.Reason)
	return appendRest(b, r.Header, r.Body, true)
}

func appendRest(b []byte, h Header, body []byte, length bool) []byte {
	for _, f := range h {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	if length {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...)
}

// ErrIncomplete says that what is there is the beginning of a message.
var ErrIncomplete = errors.New("http1: the message is not complete")

// ParseRequest reads a request.
func ParseRequest(b []byte) (*Request, error) {
	line, header, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !token(parts[0]) || parts[1] == "" || !known(parts[2]) {
		return nil, fmt.Errorf("http1: the first line of a request is %.60q", line)
	}
	r := &Request{Method: parts[0], Target: parts[1], Proto: parts[2], Header: header}
	length, chunked, err := framing(header)
	if err != nil {
		return nil, err
	}
	if length < 0 && !chunked {
		length = 0 // RFC 2616, Section 4.3: a request without either has no body
	}
	r.Body, err = body(rest, length, chunked, false)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ParseResponse reads an answer; end says that the connection has ended behind b.
func ParseResponse(b []byte, end bool) (*Response, error) {
	line, header, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	proto, more, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(more, " ")
	status, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || status < 200 || !known(proto) {
		return nil, fmt.Errorf("http1: the first line of an answer is %.60q", line)
	}
	r := &Response{Proto: proto, Status: int(status), Reason: reason, Header: header}
	length, chunked, err := framing(header)
	if err != nil {
		return nil, err
	}
	if status == 204 || status == 304 { // RFC 2616, Section 4.4
		return r, nil
	}
	if r.Body, err = body(rest, length, chunked, end); err != nil {
		return nil, err
	}
	return r, nil
}

func known(proto string) bool { return proto == "HTTP/1.0" || proto == "HTTP/1.1" }

// token reports a name of RFC 2616, Section 2.2.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7F || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// head are the first line and the header.
func head(b []byte) (line string, h Header, rest []byte, err error) {
	i := bytes.Index(b[:min(len(b), MaxHead+4)], []byte("\r\n\r\n"))
	switch {
	case i < 0 && len(b) > MaxHead:
		return "", nil, nil, fmt.Errorf("http1: a header of more than %d octets", MaxHead)
	case i < 0:
		return "", nil, nil, ErrIncomplete
	}
	lines := strings.Split(string(b[:i]), "\r\n")
	for n, l := range lines {
		if strings.ContainsAny(l, "\r\n\x00") {
			return "", nil, nil, fmt.Errorf("http1: a line of the header is %.60q", l)
		}
		if n == 0 {
			continue
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || !token(name) {
			return "", nil, nil, fmt.Errorf("http1: a line of the header is %.60q", l)
		}
		h = append(h, Field{name, strings.Trim(value, " \t")})
	}
	return lines[0], h, b[i+4:], nil
}

// framing is how the body ends: after a length (below 0: none is given), or with its last chunk.
func framing(h Header) (length int64, chunked bool, err error) {
	length = -1
	for _, f := range h {
		switch {
		case strings.EqualFold(f.Name, "Transfer-Encoding"):
			if chunked || !strings.EqualFold(f.Value, "chunked") {
				return 0, false, fmt.Errorf("http1: the transfer encoding %.60q is not supported", f.Value)
			}
			chunked = true
		case strings.EqualFold(f.Name, "Content-Length"):
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || length >= 0 && int64(n) != length {
				return 0, false, fmt.Errorf("http1: the length %.60q", f.Value)
			}
			length = int64(n)
		}
	}
	if length > MaxBody {
		return 0, false, errBody
	}
	if chunked && length >= 0 { // RFC 7230, Section 3.3.3: a way to smuggle
		return 0, false, errors.New("http1: a body with both a length and chunks")
	}
	return length, chunked, nil
}

var errBody = fmt.Errorf("http1: a body of more than %d octets", MaxBody)

func body(rest []byte, length int64, chunked, end bool) ([]byte, error) {
	switch {
	case chunked:
		return chunks(rest)
	case length >= 0 && int64(len(rest)) < length:
		return nil, ErrIncomplete
	case length >= 0:
		return bytes.Clone(rest[:length]), nil
	case len(rest) > MaxBody:
		return nil, errBody
	case !end:
		return nil, ErrIncomplete
	}
	return bytes.Clone(rest), nil
}

// maxChunkLine bounds the line before a chunk.
const maxChunkLine = 256

// chunks joins them: RFC 2616, Section 3.6.1.
func chunks(rest []byte) ([]byte, error) {
	var all []byte
	for {
		i := bytes.Index(rest, []byte("\r\n"))
		switch {
		case i > maxChunkLine || i < 0 && len(rest) > maxChunkLine:
			return nil, errors.New("http1: the line before a chunk is too long")
		case i < 0:
			return nil, ErrIncomplete
		}
		word, _, _ := strings.Cut(string(rest[:i]), ";")
		n, err := strconv.ParseUint(strings.TrimRight(word, " \t"), 16, 32)
		if err != nil {
			return nil, fmt.Errorf("http1: the length %.60q of a chunk", word)
		}
		if n > MaxBody || len(all)+int(n) > MaxBody {
			return nil, errBody
		}
		rest = rest[i+2:]
		if len(rest) < int(n)+2 {
			return nil, ErrIncomplete
		}
		if string(rest[n:n+2]) != "\r\n" {
			return nil, errors.New("http1: a chunk does not end where it says")
		}
		if n == 0 {
			return all, nil
		}
		all, rest = append(all, rest[:n]...), rest[n+2:]
	}
}

// MaxMessage bounds the octets of a message, with what its chunks need besides.
const MaxMessage = MaxHead + 2*MaxBody
