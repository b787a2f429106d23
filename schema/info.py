"""What every resolver function of this folder is given as `info`."""

import strawberry

from resolvers.context import RequestContext

Info = strawberry.Info[RequestContext, None]
