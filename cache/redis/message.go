package redis

import (
	"encoding/binary"
	"errors"
)

// A message tells other front ends what is no longer true, or asks or says how much
// of that was taken in:
//
//	offset  bytes
//	     0      1  version, 1
//	     1      1  1: the keys that follow; 2: everything; 3: a call; 4: an answer
//	     2      8  origin, a random number of the sender
//	    10      …  1: for each key its length as a varint, and the key
//	               3, 4: the number of the call, in 8 bytes
const (
	messageVersion    = 1
	messageKeys       = 1
	messageEverything = 2
	messageCall       = 3
	messageAnswer     = 4
	messageHeader     = 10

	// maxMessageKeys and maxMessage bound a message that is accepted. A
	// sender stays below: see removalRun.
	maxMessageKeys = 1024
	maxMessage     = 256 << 10
)

var errMessage = errors.New("malformed message")

type message struct {
	origin uint64
	// everything is that nothing known before may be believed.
	everything bool
	keys       []string
	// call and answer are numbers of calls, from 1.
	call, answer uint64
}

func (m message) encode() []byte {
	size := messageHeader
	for _, key := range m.keys {
		size += binary.MaxVarintLen32 + len(key)
	}
	b := make([]byte, messageHeader, size)
	b[0], b[1] = messageVersion, messageKeys
	binary.BigEndian.PutUint64(b[2:], m.origin)
	switch {
	case m.everything:
		b[1] = messageEverything
	case m.call > 0:
		b[1] = messageCall
		b = binary.BigEndian.AppendUint64(b, m.call)
	case m.answer > 0:
		b[1] = messageAnswer
		b = binary.BigEndian.AppendUint64(b, m.answer)
	}
	for _, key := range m.keys {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
	}
	return b
}

func decodeMessage(s string) (message, error) {
	if len(s) < messageHeader || len(s) > maxMessage || s[0] != messageVersion {
		return message{}, errMessage
	}
	b := []byte(s)
	m := message{origin: binary.BigEndian.Uint64(b[2:])}
	switch b[1] {
	case messageCall, messageAnswer:
		return m.numbered(b[1], b[messageHeader:])
	case messageKeys:
	case messageEverything:
		m.everything = true
	default:
		return message{}, errMessage
	}
	for b = b[messageHeader:]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > maxKey || size > uint64(len(b)-n) || len(m.keys) == maxMessageKeys {
			return message{}, errMessage
		}
		m.keys = append(m.keys, string(b[n:n+int(size)]))
		b = b[n+int(size):]
	}
	if m.everything == (len(m.keys) > 0) {
		return message{}, errMessage
	}
	return m, nil
}

// numbered reads a call or an answer.
func (m message) numbered(kind byte, b []byte) (message, error) {
	if len(b) != 8 || binary.BigEndian.Uint64(b) == 0 {
		return message{}, errMessage
	}
	if kind == messageCall {
		m.call = binary.BigEndian.Uint64(b)
	} else {
		m.answer = binary.BigEndian.Uint64(b)
	}
	return m, nil
}
