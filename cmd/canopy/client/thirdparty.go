package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// Terms are what a server is told that is to copy a file from or to another
// one (third-party copy, as WLCG has it).
type Terms struct {
	// Replace lets a file that is there be replaced.
	Replace bool
	// Streams is over how many connections, as far as the server cares; 0
	// leaves it to the server.
	Streams int
	// Verify demands of the server to compare checksums by itself.
	Verify bool
	// Delegate passes on the password or token, for the other server. Whoever
	// the server sends the question on to sees it as well.
	Delegate bool
}

// Pull asks the server of to for a copy of from. The answer's body tells how it
// goes, and must be closed; closing it early ends the copy.
func (c *Client) Pull(ctx context.Context, from, to Address, t Terms) (*http.Response, error) {
	return c.third(ctx, to, "Source", from, t)
}

// Push asks the server of from to send it to the address to; else it is like
// Pull.
func (c *Client) Push(ctx context.Context, from, to Address, t Terms) (*http.Response, error) {
	return c.third(ctx, from, "Destination", to, t)
}

// third asks the server of active to copy from or to passive, which the header
// called role names.
func (c *Client) third(ctx context.Context, active Address, role string, passive Address, t Terms) (*http.Response, error) {
	s, err := c.server(active)
	if err != nil {
		return nil, active.fail(err)
	}
	header := http.Header{
		role: {passive.String()}, "Overwrite": {"F"}, "Credential": {"none"},
		"Requirechecksumverification": {strconv.FormatBool(t.Verify)},
	}
	if t.Replace {
		header.Set("Overwrite", "T")
	}
	if t.Streams > 0 {
		header.Set("X-Number-Of-Streams", strconv.Itoa(t.Streams))
	}
	if t.Delegate && slices.Contains(c.trusted, site(passive.Origin)) {
		authorization, err := c.authorization()
		if err != nil {
			return nil, err
		}
		if authorization != "" {
			header.Set("TransferHeaderAuthorization", authorization)
		}
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "copy", Method: "COPY", Path: active.Path, Query: active.Query, Header: header, Wait: c.settle()})
	if status(err) == http.StatusPreconditionFailed {
		err = as(plugins.Exists, err)
	}
	return resp, active.fail(err)
}

// authorization is the value of that header for trusted servers, "" if there
// is none.
func (c *Client) authorization() (string, error) {
	known := c.config.Credentials
	switch {
	case known.BearerFile != "":
		token, err := os.ReadFile(known.BearerFile)
		return "Bearer " + strings.TrimSpace(string(token)), err
	case known.Bearer != "":
		return "Bearer " + string(known.Bearer), nil
	case known.Basic == nil:
		return "", nil
	}
	password := string(known.Basic.Password)
	if name := known.Basic.PasswordFile; name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		password = strings.TrimSpace(string(text))
	}
	if strings.Contains(known.Basic.User, ":") {
		return "", errors.New("a user name must not hold a colon")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(known.Basic.User+":"+password)), nil
}
