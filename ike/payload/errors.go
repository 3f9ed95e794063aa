package payload

import "fmt"

// Error is a message, or a part of one, that does not follow the format.
type Error struct {
	Notify NotifyType // what RFC 2408, Section 5 would have the sender told
	text   string
}

func (e *Error) Error() string { return "payload: " + e.text }

func errorf(n NotifyType, format string, args ...any) error {
	return &Error{Notify: n, text: fmt.Sprintf(format, args...)}
}
