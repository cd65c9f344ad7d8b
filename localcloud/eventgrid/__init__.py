"""Event Grid: topics, subscriptions, at-least-once delivery, dead letters.

https://learn.microsoft.com/azure/event-grid/delivery-and-retry says what is imitated.
"""
