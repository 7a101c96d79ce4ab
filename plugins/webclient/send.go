package webclient

import (
	"context"
	"io"
	"net/http"

	"canopy/plugins/wire/answer"
)

// Send is Do with a long body of size bytes, for which the same holds as for
// what Put stores. The answer's body has been read.
func (c *Client) Send(ctx context.Context, r Request, content io.Reader, size int64) (*http.Response, error) {
	r.upload = newUpload(content, size, c.timeout)
	resp, err := c.unhindered(ctx, r)
	if err != nil {
		return nil, err
	}
	answer.Drain(resp.Body)
	return resp, nil
}
